package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestRunBecomesRunc(t *testing.T) {
	t.Setenv("QUALIFY_RUNC", "/opt/runc")
	bundle := t.TempDir()
	config := filepath.Join(bundle, "config.json")
	// No host grants a capability that has no number.
	write(t, config, `{"process":{"capabilities":{"bounding":["CAP_NONE"]}}}`)

	argv := []string{"ociruntime", "--root", "/r", "create", "--bundle", bundle, "ID"}
	var path string
	var passed, env []string
	var seen string
	err := run(argv, func(p string, a, e []string) error {
		path, passed, env, seen = p, a, e, read(t, config)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := append([]string{"/opt/runc"}, argv[1:]...); path != "/opt/runc" || !reflect.DeepEqual(passed, want) {
		t.Errorf("became %s %v", path, passed)
	}
	if !reflect.DeepEqual(env, os.Environ()) {
		t.Errorf("environment is %v", env)
	}
	if strings.Contains(seen, "CAP_NONE") {
		t.Errorf("runc started before the request was trimmed: %s", seen)
	}
}

func TestRunPassesOtherCommands(t *testing.T) {
	t.Setenv("QUALIFY_RUNC", "/opt/runc")
	for _, line := range []string{"", "--version", "state ID", "kill ID 9", "exec ID mkdir -p /none"} {
		called := false
		err := run(append([]string{"ociruntime"}, strings.Fields(line)...), func(string, []string, []string) error {
			called = true
			return nil
		})
		if err != nil || !called {
			t.Errorf("%q: called %v, %v", line, called, err)
		}
	}
}

func TestRunFails(t *testing.T) {
	refuse := errors.New("refused")
	become := func(string, []string, []string) error { return refuse }
	t.Setenv("QUALIFY_RUNC", "/opt/runc")
	if err := run([]string{"ociruntime", "state"}, become); !errors.Is(err, refuse) {
		t.Errorf("exec failed, run says %v", err)
	}
	absent := []string{"ociruntime", "create", "--bundle", t.TempDir(), "ID"}
	err := run(absent, func(string, []string, []string) error {
		t.Error("runc was started for a bundle without a config")
		return nil
	})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no config, run says %v", err)
	}
}

func TestRuncPath(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	t.Setenv("QUALIFY_RUNC", "")
	if path, err := runcPath(); err == nil {
		t.Errorf("found %s where there is none", path)
	}
	want := filepath.Join(dir, "runc")
	if err := os.WriteFile(want, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if path, err := runcPath(); err != nil || path != want {
		t.Errorf("found %s, %v", path, err)
	}
	t.Setenv("QUALIFY_RUNC", "/elsewhere/runc")
	if path, err := runcPath(); err != nil || path != "/elsewhere/runc" {
		t.Errorf("found %s, %v", path, err)
	}
}

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/qualify-dev/qualify/internal/release"
)

// The command line as its user meets it: each file in testdata/script is a
// test.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			manifest, err := release.Marshal(candidate())
			return errors.Join(err,
				os.CopyFS(filepath.Join(env.WorkDir, "runs"), os.DirFS(filepath.Join("testdata", "runs"))),
				os.CopyFS(filepath.Join(env.WorkDir, "verdicts"), os.DirFS(filepath.Join("testdata", "verdicts"))),
				os.WriteFile(filepath.Join(env.WorkDir, "candidate.yaml"), manifest, 0o600),
			)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":    wantCode,
			"keeps":   keepsToSchema,
			"created": created,
		},
	})
}

// wantCode is "code N program arguments…": the program must end with N.
func wantCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program [argument…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("running %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// keepsToSchema is "keeps FILE": the file is a verdict as the schema has it.
func keepsToSchema(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keeps FILE")
	}
	ts.Check(checkSchema([]byte(ts.ReadFile(args[0]))))
}

// created is "! created": there is nothing but what the script began with.
func created(ts *testscript.TestScript, neg bool, args []string) {
	if !neg || len(args) > 0 {
		ts.Fatalf("usage: ! created")
	}
	for _, name := range []string{"results", "home", ".cache"} {
		if _, err := os.Stat(ts.MkAbs(name)); err == nil {
			ts.Fatalf("%s was created", name)
		}
	}
}

// The README shows the exit table that --help shows.
func TestREADMEShowsTheExitTable(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(repository(), "README.md"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("there is no README.md yet; with one, this test holds its exit table against --help")
	}
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), exitTable) {
		t.Errorf("README.md does not show the exit table of --help:\n%s", exitTable)
	}
}

// The table has every code that there is.
func TestExitTableIsComplete(t *testing.T) {
	codes := []int{exitQualified, exitNotQualified, exitUsage, exitInconclusive, exitLeftovers, exitSIGINT}
	for _, code := range codes {
		if !strings.Contains(exitTable, fmt.Sprintf("\n  %-4d ", code)) {
			t.Errorf("the table lacks %d", code)
		}
	}
	if lines := strings.Count(exitTable, "\n"); lines != 1+len(codes) || !strings.Contains(exitTable, fmt.Sprint(exitSIGTERM)) {
		t.Errorf("the table has %d lines:\n%s", lines, exitTable)
	}
}

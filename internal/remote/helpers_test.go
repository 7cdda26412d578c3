package remote

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/qualify-dev/qualify/internal/remote/remotetest"
)

const password = "correct-horse-battery"

func serve(t testing.TB, run func(remotetest.Command) int) *remotetest.Server {
	t.Helper()
	s, err := remotetest.Start(remotetest.Options{Password: password, Run: run})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func target(t testing.TB, s *remotetest.Server) Target {
	t.Helper()
	check, algorithms, err := Pinned(s.HostKey)
	if err != nil {
		t.Fatal(err)
	}
	return Target{
		Name: "n1", Address: s.Address, User: "root", HostKey: check, Algorithms: algorithms,
		Auth: func() ([]ssh.AuthMethod, error) { return []ssh.AuthMethod{ssh.Password(password)}, nil },
	}
}

func host(t testing.TB, target Target, o Options) *Host {
	t.Helper()
	h := New(target, o)
	t.Cleanup(h.Close)
	return h
}

func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// sudo makes a program of that name that does what a well-behaved one does.
func sudo(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sudo"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return "PATH=" + dir + ":" + os.Getenv("PATH")
}

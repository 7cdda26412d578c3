package archtest

import (
	"os"
	"slices"
	"sync"
	"testing"
)

var loadRepository = sync.OnceValues(func() ([]file, error) { return load(os.DirFS("../..")) })

// repository loads the whole tree. Finding little of it would make every rule
// hold, so that is a failure of its own.
func repository(t *testing.T) []file {
	t.Helper()
	files, err := loadRepository()
	if err != nil {
		t.Fatal(err)
	}
	code, programs := 0, 0
	for _, f := range files {
		if !f.test() {
			code++
		}
		if f.name == "cmd/qualify/main.go" {
			programs++
		}
	}
	if code < 100 || programs != 1 {
		t.Fatalf("only %d files of code were found, main.go %d times: is this the repository?", code, programs)
	}
	return files
}

func report(t *testing.T, wrong []string) {
	t.Helper()
	for _, w := range wrong {
		t.Error(w)
	}
}

func TestImports(t *testing.T) { report(t, checkImports(table, repository(t))) }

func TestCode(t *testing.T) { report(t, checkCode(table, repository(t))) }

func TestSizes(t *testing.T) { report(t, checkSizes(repository(t))) }

// A writer that writes no more is taken off the list, before another takes its
// place.
func TestWritersWrite(t *testing.T) {
	files := repository(t)
	for _, w := range writers {
		if !slices.ContainsFunc(files, func(f file) bool { return !f.test() && (f.name == w.where || listed([]string{w.where}, f.dir())) }) || w.why == "" {
			t.Errorf("%s is on the list of writers, and there is no such code or no reason", w.where)
		}
	}
}

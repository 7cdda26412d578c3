package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDefaultsLookAtTheHost(t *testing.T) {
	o := Options{}.withDefaults()
	if o.ProcDir != "/proc" || o.SysDir != "/sys" || o.CacheDir == "" || o.CPUs < 1 {
		t.Errorf("%+v", o)
	}
	if o.LookPath == nil || o.Output == nil || o.DiskFree == nil {
		t.Errorf("%+v", o)
	}
	set := Options{ProcDir: "/p", SysDir: "/s", CacheDir: "/c", CPUs: 3}.withDefaults()
	if set.ProcDir != "/p" || set.SysDir != "/s" || set.CacheDir != "/c" || set.CPUs != 3 {
		t.Errorf("%+v", set)
	}
}

func TestOutput(t *testing.T) {
	dir := t.TempDir()
	out, err := output(context.Background(), Cmd{
		Argv: []string{"sh", "-c", "pwd; echo $EXTRA; echo noise >&2"}, Dir: dir, Env: []string{"EXTRA=more"},
	})
	if err != nil || string(out) != dir+"\nmore\n" {
		t.Errorf("%q, %v", out, err)
	}
	tests := []struct{ script, want string }{
		{"echo first >&2; echo last >&2; exit 4", "last"},
		{"exit 4", "exit status 4"},
	}
	for _, test := range tests {
		_, err := output(context.Background(), Cmd{Argv: []string{"sh", "-c", test.script}})
		if err == nil || !strings.HasSuffix(err.Error(), ": "+test.want) {
			t.Errorf("%s: %v", test.script, err)
		}
	}
	if _, err := output(context.Background(), Cmd{Argv: []string{"/no/such/program"}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
}

// A program that hangs, or leaves a child that does, must not hang the doctor.
func TestOutputEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := output(ctx, Cmd{Argv: []string{"sh", "-c", "sleep 6 & wait"}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestDiskFree(t *testing.T) {
	dir := t.TempDir()
	here, err := diskFree(dir)
	if err != nil || here == 0 {
		t.Fatalf("%d, %v", here, err)
	}
	if below, err := diskFree(filepath.Join(dir, "not", "made", "yet")); err != nil || below == 0 {
		t.Errorf("a folder to be made: %d, %v", below, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := diskFree(filepath.Join(file, "below")); err == nil {
		t.Error("a folder below a file has space")
	}
}

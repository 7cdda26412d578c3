package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fixture is a host on which every check is OK, to be spoilt by tests.
type fixture struct {
	t       *testing.T
	options Options
	absent  map[string]bool                   // programs not on PATH
	says    map[string]func() ([]byte, error) // by the command's words
	free    map[string]uint64
	ran     []Cmd
}

const dockerInfo = "docker info --format {{json .}}"

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, absent: map[string]bool{}, free: map[string]uint64{}}
	engineRoot := t.TempDir()
	f.options = Options{
		ProcDir: t.TempDir(), SysDir: t.TempDir(), CacheDir: "/cache", CPUs: 4,
		LookPath: func(name string) (string, error) {
			if f.absent[name] {
				return "", errors.New("not found")
			}
			return "/bin/" + name, nil
		},
		Output: f.output,
		DiskFree: func(path string) (uint64, error) {
			if n, is := f.free[path]; is {
				return n, nil
			}
			return 0, fmt.Errorf("no disk at %s", path)
		},
	}
	f.free["/cache"], f.free[engineRoot] = 100*gigabyte, 100*gigabyte
	f.proc("self/status", "Name:\tx\nCapBnd:\t000001ffffffffff\n")
	f.proc("sys/kernel/cap_last_cap", "40\n")
	f.proc("sys/fs/inotify/max_user_instances", "8192\n")
	f.proc("sys/fs/inotify/max_user_watches", "1048576\n")
	f.proc("meminfo", "MemFree:  1 kB\nMemTotal:       24684096 kB\n")
	f.sys("fs/cgroup/cgroup.controllers", "cpu\n")
	f.says = map[string]func() ([]byte, error){
		dockerInfo:            says(`{"ServerVersion":"20.10.24","Driver":"overlay2","DefaultRuntime":"runc","DockerRootDir":"` + engineRoot + `"}`),
		"go env GOVERSION":    says("go1.26.8\n"),
		"go list -m " + probe: says("sigs.k8s.io/kind v0.33.0\n"),
	}
	return f
}

func says(text string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(text), nil }
}

func complains(text string) func() ([]byte, error) {
	return func() ([]byte, error) { return nil, errors.New(text) }
}

func (f *fixture) output(ctx context.Context, cmd Cmd) ([]byte, error) {
	f.ran = append(f.ran, cmd)
	if _, limited := ctx.Deadline(); !limited {
		f.t.Errorf("%v may run for ever", cmd.Argv)
	}
	answer, known := f.says[strings.Join(cmd.Argv, " ")]
	if !known {
		f.t.Errorf("unexpected command %v", cmd.Argv)
		return nil, errors.New("unexpected")
	}
	return answer()
}

func (f *fixture) proc(path, text string) { f.write(f.options.ProcDir, path, text) }
func (f *fixture) sys(path, text string)  { f.write(f.options.SysDir, path, text) }

func (f *fixture) write(dir, path, text string) {
	f.t.Helper()
	full := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) remove(dir, path string) {
	f.t.Helper()
	if err := os.Remove(filepath.Join(dir, path)); err != nil {
		f.t.Fatal(err)
	}
}

// check is the one check of that name.
func (f *fixture) check(name string) Check {
	f.t.Helper()
	for _, c := range Run(context.Background(), f.options) {
		if c.Name == name {
			return c
		}
	}
	f.t.Fatalf("no check %s", name)
	return Check{}
}

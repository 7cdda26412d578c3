package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/claim"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/suites"
)

// waiting starts the program in a process, and returns when its suite waits.
func waiting(t *testing.T, suite string) (*world, *os.Process) {
	t.Helper()
	w, cmd := process(t, suite)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(w.file("waiting")); err == nil {
			return w, cmd.Process
		}
		if time.Now().After(end) {
			t.Fatal("the suite was never begun")
		}
	}
}

// here is the world of a process that was started, for this one.
func here(t *testing.T, dir string) *world {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	w, end, err := settle(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return w
}

func (w *world) resume(ctx context.Context, more ...string) said {
	return w.call(ctx, append([]string{"resume", "--results", w.file("results"), "latest"}, more...)...)
}

func TestResumeAfterAKill(t *testing.T) {
	there, process := waiting(t, "wait")
	w := here(t, there.dir)
	// As long as it lives the run is its own.
	if said := w.resume(context.Background()); said.code != 2 || !strings.Contains(said.stderr, "is being worked on by ") {
		t.Fatalf("exit code %d: %s%s", said.code, said.stdout, said.stderr)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := process.Wait(); err != nil {
		t.Fatal(err)
	}
	said := w.resume(context.Background())
	if said.code != 0 || !strings.HasPrefix(said.stdout, "Qualified") || !strings.Contains(said.stderr, "going on after ") {
		t.Fatalf("exit code %d: %s%s", said.code, said.stdout, said.stderr)
	}
	w.empty(t)
	if doc := w.verdict(t); doc.Verdict != result.Qualified {
		t.Errorf("verdict %+v", doc)
	}
	for _, name := range []string{".reserve", "journal.jsonl.new"} {
		if _, err := os.Lstat(w.file("results/latest/" + name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
	// Again: nothing is done, and the answer is the same.
	before, err := os.ReadFile(w.file("results/latest/verdict.json"))
	if err != nil {
		t.Fatal(err)
	}
	w.suites = []suites.Suite{tiny(behaviours()["panic"])}
	if said := w.resume(context.Background()); said.code != 0 {
		t.Errorf("a finished run: exit code %d: %s", said.code, said.stderr)
	}
	if after, err := os.ReadFile(w.file("results/latest/verdict.json")); err != nil || string(after) != string(before) {
		t.Errorf("a finished run has another verdict: %v", err)
	}
}

// A second signal ends the process at once, with a journal that can be gone on
// with.
func TestResumeAfterTwoSignals(t *testing.T) {
	there, process := waiting(t, "hang")
	for range 2 {
		if err := process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // two at once would be one
	}
	state, err := process.Wait()
	if err != nil || state.ExitCode() != 130 {
		t.Fatalf("it ended with %v, %v", state, err)
	}
	w := here(t, there.dir)
	if said := w.resume(context.Background()); said.code != 0 {
		t.Fatalf("exit code %d: %s%s", said.code, said.stdout, said.stderr)
	}
	w.empty(t)
}

func TestResumeRefuses(t *testing.T) {
	ended := func(t *testing.T) *world {
		w := newWorld(t)
		if said := w.qualify(context.Background()); said.code != 0 {
			t.Fatalf("exit code %d: %s", said.code, said.stderr)
		}
		return w
	}
	tests := []struct {
		name   string
		change func(t *testing.T, w *world)
		code   int
		says   string
	}{
		{"a release that is another one now", func(t *testing.T, w *world) {
			other := candidate()
			other.Number++
			text, err := release.Marshal(other)
			if err := errors.Join(err, os.WriteFile(w.file("release.yaml"), text, 0o600)); err != nil {
				t.Fatal(err)
			}
		}, 3, "is no longer the release of the plan"},
		{"a release that is gone", func(t *testing.T, w *world) {
			if err := os.Remove(w.file("release.yaml")); err != nil {
				t.Fatal(err)
			}
		}, 2, "there is no such file"},
		{"a damaged journal", func(t *testing.T, w *world) {
			spoil(t, w.file("results/latest/journal.jsonl"), `"dns"`, `"dnt"`)
		}, 3, "journal.jsonl: line "},
		{"a plan that was changed", func(t *testing.T, w *world) {
			spoil(t, w.file("results/latest/plan.json"), `"dns"`, `"dnt"`)
		}, 3, "the plan was changed after it was made"},
		{"a suite that is gone", func(_ *testing.T, w *world) { w.suites = nil }, 2, "unknown suite"},
		{"another owner", func(t *testing.T, w *world) {
			dir, err := filepath.EvalSymlinks(w.file("results/latest"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := claim.Take(dir, claim.Options{Owner: "other/1"}); err != nil {
				t.Fatal(err)
			}
		}, 2, "is being worked on by other/1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := ended(t)
			test.change(t, w)
			before, err := os.ReadFile(w.file("results/latest/journal.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			said := w.resume(context.Background())
			if said.code != test.code || !strings.Contains(said.stderr, test.says) {
				t.Errorf("exit code %d, want %d and %q: %s%s", said.code, test.code, test.says, said.stdout, said.stderr)
			}
			if after, err := os.ReadFile(w.file("results/latest/journal.jsonl")); err != nil || string(after) != string(before) {
				t.Errorf("the journal was changed: %v", err)
			}
		})
	}
	w := newWorld(t)
	if said := w.resume(context.Background()); said.code != 2 || !strings.Contains(said.stderr, "no run") {
		t.Errorf("no run: exit code %d: %s", said.code, said.stderr)
	}
}

// spoil replaces a text in a file.
func spoil(t *testing.T, file, old, new string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(data), old) {
		t.Fatalf("%s has no %s: %v", file, old, err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), old, new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A resume goes on in the manner of the run, unless a flag says otherwise.
func TestResumeInTheSameManner(t *testing.T) {
	for flag, want := range map[string]int{"": 4, "--procs=9": 9} {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(context.Background())
		w.suites = []suites.Suite{tiny(func(ctx context.Context, _ suites.Env, _ func(result.Case)) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		})}
		if said := w.qualify(ctx, "--procs", "4"); said.code == 0 {
			t.Fatal("it was not interrupted")
		}
		got := 0
		w.suites = []suites.Suite{tiny(func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
			got = env.Procs
			return pass(ctx, env, emit)
		})}
		args := []string{}
		if flag != "" {
			args = append(args, flag)
		}
		if said := w.resume(context.Background(), args...); said.code != 0 || got != want {
			t.Errorf("%q: exit code %d, %d processes, want %d: %s", flag, said.code, got, want, said.stderr)
		}
	}
}

// small mounts a file system with so many bytes in pages over a directory.
func small(t *testing.T, dir string, bytes int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("qualify-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("this process may not mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// The disk is full, a page later each time: before anything is made that is a
// mistake of the user's, and after that the run is inconclusive. The journal
// can be read, what was made is gone, and a resume on a larger disk qualifies.
func TestTheDiskIsFull(t *testing.T) {
	const page = 4096
	codes := map[int]int{}
	for pages, whole := 1, 0; whole < 3 && pages < 400; pages++ {
		if reserved := reserveSize / page; pages > 5 && pages < reserved || testing.Short() && pages%5 > 0 {
			continue // there is not even the space that is set aside
		}
		t.Run(fmt.Sprint(pages, " pages"), func(t *testing.T) {
			w := newWorld(t)
			small(t, w.file("results"), max(pages*page, 1))
			code := fullDisk(t, w)
			codes[code]++
			if code == 0 {
				whole++
			} else {
				whole = 0
			}
		})
	}
	t.Logf("exit codes: %v", codes)
	if codes[0] == 0 || codes[2] == 0 || codes[3] < 3 {
		t.Errorf("exit codes %v: the sizes do not tell them apart", codes)
	}
}

func fullDisk(t *testing.T, w *world) int {
	t.Helper()
	said := w.qualify(context.Background())
	w.empty(t)
	runs, err := filepath.Glob(w.file("results/2*"))
	if err != nil {
		t.Fatal(err)
	}
	switch said.code {
	case 0:
		w.verdict(t)
		return 0
	case 2:
		if len(runs) > 0 {
			t.Errorf("a mistake of the user's left %v", runs)
		}
	case 3:
	default:
		t.Fatalf("exit code %d: %s", said.code, said.stderr)
	}
	if !strings.Contains(said.stderr, "no space left on device") && !strings.Contains(said.stdout, "no space left on device") {
		t.Errorf("the cause is not told: %s%s", said.stdout, said.stderr)
	}
	if len(runs) == 0 {
		return said.code
	}
	if _, _, err := result.ReadFile(filepath.Join(runs[0], "journal.jsonl")); err != nil {
		t.Errorf("the journal cannot be read: %v", err)
	}
	if judged := w.call(context.Background(), "judge", runs[0]); judged.code == 0 && !strings.Contains(said.stderr, "writing") {
		t.Errorf("judged again it is %d, and it said %s", judged.code, said.stderr)
	}
	if err := syscall.Mount("", w.file("results"), "", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	if again := w.call(context.Background(), "resume", runs[0]); again.code != 0 {
		t.Errorf("resumed on a larger disk: exit code %d: %s%s", again.code, again.stdout, again.stderr)
	}
	w.empty(t)
	return said.code
}

// An answer that could not be written is no good answer.
func TestTheAnswerIsNotWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	w := newWorld(t)
	var stderr strings.Builder
	if code := w.wiring(w.flags()...).main(context.Background(), full, &stderr); code != 3 || !strings.Contains(stderr.String(), "writing the answer") {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
}

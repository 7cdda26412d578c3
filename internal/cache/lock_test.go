package cache

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// holding is set in a process that these tests start to hold an entry's lock
// from outside; its value is the cache's directory.
const holding = "QUALIFY_CACHE_TEST_HOLD"

// TestMain is also the other process: it fills the entry kind/key as slowly as
// its standard input stays open, and says when it has begun.
func TestMain(m *testing.M) {
	dir := os.Getenv(holding)
	if dir == "" {
		os.Exit(m.Run())
	}
	_, _, err := Cache{Dir: dir}.Do(context.Background(), "kind", "key", func(dir string) error {
		if _, err := os.Stdout.WriteString("filling\n"); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "f"), []byte("theirs"), 0o644)
	})
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// other is a process that is filling the entry kind/key.
type other struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
}

func startOther(t *testing.T, dir string) *other {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := &other{t: t, cmd: exec.Command(self)}
	o.cmd.Env = append(os.Environ(), holding+"="+dir)
	stdin, err := o.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	o.stdin = stdin
	stdout, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.cmd.Process.Kill() })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "filling\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return o
}

func (o *other) finish() {
	o.t.Helper()
	if err := errors.Join(o.stdin.Close(), o.cmd.Wait()); err != nil {
		o.t.Errorf("the other process: %v", err)
	}
}

func (o *other) kill() {
	o.t.Helper()
	if err := o.cmd.Process.Kill(); err != nil {
		o.t.Fatal(err)
	}
	_ = o.cmd.Wait()
}

// outcome is what Do came back with.
type outcome struct {
	dir string
	hit bool
	err error
}

// doing runs Do and tells when it is over; its own filling writes "ours".
func doing(ctx context.Context, c Cache) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		dir, hit, err := c.Do(ctx, "kind", "key", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "f"), []byte("ours"), 0o644)
		})
		done <- outcome{dir, hit, err}
	}()
	return done
}

func await(t *testing.T, done <-chan outcome) outcome {
	t.Helper()
	select {
	case o := <-done:
		return o
	case <-time.After(30 * time.Second):
		t.Fatal("Do does not come back")
		return outcome{}
	}
}

func content(t *testing.T, o outcome) string {
	t.Helper()
	if o.err != nil {
		t.Fatal(o.err)
	}
	data, err := os.ReadFile(filepath.Join(o.dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestDoWaitsForAnotherProcessAndTakesWhatItMade(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	o := startOther(t, c.Dir)
	done := doing(context.Background(), c)
	select {
	case got := <-done:
		t.Fatalf("Do did not wait: %+v", got)
	case <-time.After(500 * time.Millisecond):
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "kind", "key")); !os.IsNotExist(err) {
		t.Errorf("a half-made entry can be seen: %v", err)
	}
	o.finish()
	got := await(t, done)
	if text := content(t, got); text != "theirs" || !got.hit {
		t.Errorf("got %q, hit %v", text, got.hit)
	}
}

func TestDoTakesOverWhenTheOtherProcessDies(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	o := startOther(t, c.Dir)
	done := doing(context.Background(), c)
	o.kill()
	got := await(t, done)
	if text := content(t, got); text != "ours" || got.hit {
		t.Errorf("got %q, hit %v", text, got.hit)
	}
}

func TestDoStopsWaitingWhenItsContextEnds(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	o := startOther(t, c.Dir)
	ctx, cancel := context.WithCancel(context.Background())
	done := doing(ctx, c)
	cancel()
	got := await(t, done)
	if !errors.Is(got.err, context.Canceled) {
		t.Errorf("error %v, want that of the context", got.err)
	}
	if got.err != nil && !strings.Contains(got.err.Error(), "key.lock, held by another qualify") {
		t.Errorf("the error does not tell what was waited for: %v", got.err)
	}
	if got.dir != "" || got.hit {
		t.Errorf("an entry was returned: %+v", got)
	}
	// Giving up must not have taken anything from the one that goes on.
	o.finish()
	if text := content(t, await(t, doing(context.Background(), c))); text != "theirs" {
		t.Errorf("the other process's entry holds %q", text)
	}
}

package claim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	claimDir = "QUALIFY_CLAIM_TEST_DIR"
	claimTTL = "QUALIFY_CLAIM_TEST_TTL"
)

// TestMain is also another process: it claims the directory, says what came of
// it, and holds it until its standard input ends. Each line that it reads makes
// it say whether it still holds it.
func TestMain(m *testing.M) {
	dir := os.Getenv(claimDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	ttl, err := time.ParseDuration(os.Getenv(claimTTL))
	if err != nil {
		panic(err)
	}
	c, err := Take(dir, Options{Owner: fmt.Sprintf("test/%d", os.Getpid()), TTL: ttl})
	var busy *BusyError
	if errors.As(err, &busy) {
		fmt.Println("busy", busy.Owner)
		return
	}
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("owner", c.Token())
	go c.Keep(context.Background(), func(error) {})
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println("held", c.Held() == nil)
	}
}

// other is another process.
type other struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startOther(t *testing.T, dir string, ttl time.Duration) *other {
	t.Helper()
	o := &other{t: t, cmd: exec.Command(os.Args[0])}
	o.cmd.Env = append(os.Environ(), claimDir+"="+dir, claimTTL+"="+ttl.String())
	var err error
	if o.in, err = o.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	o.out = bufio.NewReader(out)
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = o.cmd.Process.Kill()
		_ = o.cmd.Wait()
	})
	return o
}

func (o *other) says() string {
	o.t.Helper()
	line, err := o.out.ReadString('\n')
	if err != nil {
		o.t.Fatalf("the other process says %q, %v", line, err)
	}
	return strings.TrimSpace(line)
}

func (o *other) held() string {
	o.t.Helper()
	if _, err := io.WriteString(o.in, "?\n"); err != nil {
		o.t.Fatal(err)
	}
	return o.says()
}

func (o *other) signal(s syscall.Signal) {
	o.t.Helper()
	if err := o.cmd.Process.Signal(s); err != nil {
		o.t.Fatal(err)
	}
}

func take(t *testing.T, dir string) *Claim {
	t.Helper()
	c, err := Take(dir, Options{Owner: "me/1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOneOwnerAtATime(t *testing.T) {
	dir := t.TempDir()
	if s, err := Look(dir); err != nil || s != (State{}) {
		t.Errorf("nobody has claimed it, yet %+v, %v", s, err)
	}
	c := take(t, dir)
	var busy *BusyError
	if _, err := Take(dir, Options{Owner: "you/2"}); !errors.As(err, &busy) || busy.Owner != "me/1" {
		t.Errorf("claimed twice: %v", err)
	}
	if s, err := Look(dir); err != nil || !s.Alive || s.Ended || s.Owner != "me/1" {
		t.Errorf("state %+v, %v", s, err)
	}
	if err := c.Held(); err != nil {
		t.Error(err)
	}
	if err := c.Release(); err != nil {
		t.Fatal(err)
	}
	if s, err := Look(dir); err != nil || s.Alive || !s.Ended {
		t.Errorf("released, yet %+v, %v", s, err)
	}
	next := take(t, dir)
	if next.Token() != c.Token()+1 {
		t.Errorf("token %d after %d", next.Token(), c.Token())
	}
	var lost *LostError
	if err := c.Held(); !errors.As(err, &lost) {
		t.Errorf("the former owner still holds it: %v", err)
	}
	if err := c.Release(); !errors.As(err, &lost) {
		t.Errorf("the former owner releases another's claim: %v", err)
	}
}

func TestTheDirectoryWasRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := take(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	var lost *LostError
	if err := c.Held(); !errors.As(err, &lost) || !strings.Contains(err.Error(), "removed") {
		t.Errorf("what was removed is still held: %v", err)
	}
}

// Of fifty that start at once on one run, one has it.
func TestFiftyStarts(t *testing.T) {
	dir := t.TempDir()
	others := make([]*other, 50)
	for i := range others {
		others[i] = startOther(t, dir, time.Minute)
	}
	owners := 0
	for _, o := range others {
		switch said := o.says(); {
		case said == "owner 1":
			owners++
		case !strings.HasPrefix(said, "busy test/"):
			t.Errorf("one says %q", said)
		}
	}
	if owners != 1 {
		t.Errorf("%d owners", owners)
	}
	files, err := os.ReadDir(filepath.Join(dir, folder))
	if err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
}

// The same within one process, where goroutines race.
func TestManyGoroutines(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	var group sync.WaitGroup
	owners := 0
	for range 50 {
		group.Go(func() {
			if _, err := Take(dir, Options{Owner: "me/1"}); err == nil {
				mu.Lock()
				defer mu.Unlock()
				owners++
			}
		})
	}
	group.Wait()
	if owners != 1 {
		t.Errorf("%d owners", owners)
	}
}

// A process of this machine that has died holds nothing: nobody waits.
func TestADeadOwnerIsFollowedAtOnce(t *testing.T) {
	dir := t.TempDir()
	o := startOther(t, dir, time.Hour)
	if said := o.says(); said != "owner 1" {
		t.Fatal(said)
	}
	o.signal(syscall.SIGKILL)
	_ = o.cmd.Wait()
	if s, err := Look(dir); err != nil || s.Alive || !s.Ended {
		t.Errorf("state %+v, %v", s, err)
	}
	if c := take(t, dir); c.Token() != 2 {
		t.Errorf("token %d", c.Token())
	}
}

// An owner that is stopped for longer than its claim lives loses the run, and
// knows it as soon as it goes on.
func TestAStoppedOwnerLosesTheRun(t *testing.T) {
	dir := t.TempDir()
	const ttl = 500 * time.Millisecond
	o := startOther(t, dir, ttl)
	if said := o.says(); said != "owner 1" {
		t.Fatal(said)
	}
	// It lives beyond its time as long as it gives signs of life.
	time.Sleep(2 * ttl)
	var busy *BusyError
	if _, err := Take(dir, Options{Owner: "me/1", TTL: ttl}); !errors.As(err, &busy) {
		t.Fatalf("a living owner was followed: %v", err)
	}
	o.signal(syscall.SIGSTOP)
	var c *Claim
	for c == nil {
		var err error
		if c, err = Take(dir, Options{Owner: "me/1", TTL: ttl}); err != nil && !errors.As(err, &busy) {
			t.Fatal(err)
		}
		time.Sleep(ttl / 20)
	}
	if c.Token() != 2 {
		t.Errorf("token %d", c.Token())
	}
	o.signal(syscall.SIGCONT)
	if said := o.held(); said != "held false" {
		t.Errorf("the stopped owner says %q", said)
	}
	if err := c.Held(); err != nil {
		t.Errorf("the new owner has lost it: %v", err)
	}
}

// Keep notices the loss by itself.
func TestKeepNoticesTheLoss(t *testing.T) {
	dir := t.TempDir()
	c, err := Take(dir, Options{Owner: "me/1", TTL: 30 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	c.who.Released = true // it looks dead to others
	data, err := c.scratch()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(data, c.path); err != nil {
		t.Fatal(err)
	}
	take(t, dir)
	lost := make(chan error, 1)
	c.Keep(t.Context(), func(err error) { lost <- err })
	var gone *LostError
	if err := <-lost; !errors.As(err, &gone) || !strings.Contains(err.Error(), "taken over by me/1") {
		t.Errorf("the loss: %v", err)
	}
}

func TestKeepEnds(t *testing.T) {
	c := take(t, t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c.Keep(ctx, func(err error) { t.Errorf("lost: %v", err) })
}

// A claim that cannot be read is nobody's, once it is silent for long enough:
// there is never anything to unlock by hand.
func TestDamagedClaims(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "cut": `{"tok`, "large": strings.Repeat("x", maxRecord+1), "another": "[]"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			take(t, dir)
			path := file(dir, 1)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			var busy *BusyError
			if _, err := Take(dir, Options{Owner: "me/1"}); !errors.As(err, &busy) || !strings.Contains(err.Error(), "cannot be read") {
				t.Errorf("a damaged claim that is fresh: %v", err)
			}
			old := time.Now().Add(-2 * TTL)
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
			if c := take(t, dir); c.Token() != 2 {
				t.Errorf("token %d", c.Token())
			}
		})
	}
}

// Processes elsewhere are judged by their silence alone, whatever runs here
// under their number.
func TestProcessesElsewhere(t *testing.T) {
	own := self()
	if own.ended() || own.Boot == "" || own.Start == "" {
		t.Fatalf("this process: %+v", own)
	}
	gone := own
	gone.Start = "1"
	if !gone.ended() {
		t.Error("an earlier process of this number has not ended")
	}
	for name, change := range map[string]func(*place){
		"another machine":    func(p *place) { p.Boot = "another" },
		"another namespace":  func(p *place) { p.Namespace = "pid:[1]" },
		"a poorer system":    func(p *place) { p.Boot = "" },
		"a poor system here": func(p *place) { *p = place{PID: p.PID} },
	} {
		p := gone
		change(&p)
		if p.ended() {
			t.Errorf("%s: it was said to have ended", name)
		}
	}
}

func TestModes(t *testing.T) {
	dir := t.TempDir()
	c := take(t, dir)
	if err := c.Release(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{file(dir, 1): 0o600, filepath.Join(dir, folder): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

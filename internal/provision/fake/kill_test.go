package fake

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
)

// hard is the cloud in which processes are killed.
func hard(dir string) Options {
	return Options{Dir: dir, ErrorRate: 0.1, LostRate: 0.1, LateRate: 0.9, Late: 40 * time.Millisecond}
}

const killedDir = "QUALIFY_FAKE_KILLED_DIR"

// TestKilledProcess is no test of its own: it is the process that the next one
// kills. It says each lease before it uses it, as a journal would.
func TestKilledProcess(t *testing.T) {
	dir := os.Getenv(killedDir)
	if dir == "" {
		t.Skip("only for TestKillLeaksNothing, which starts it")
	}
	p, _ := made(t, hard(dir))
	for i := 0; ; i++ {
		l := lease(fmt.Sprintf("q-%d-%d", os.Getpid(), i))
		fmt.Println("intent", l.Name)
		if _, err := p.Up(context.Background(), l, spec(t)); err == nil && i%2 == 0 {
			_ = p.Down(context.Background(), l) // or be killed in it
		}
	}
}

// killed starts a process that makes clusters, kills it, and returns what it
// had said it would use.
func killed(t *testing.T, dir string) []provision.Lease {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$", "-test.v")
	cmd.Env = append(os.Environ(), killedDir+"="+dir, "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var leases []provision.Lease
	for in := bufio.NewScanner(out); in.Scan(); {
		if name, is := strings.CutPrefix(in.Text(), "intent "); is {
			if len(leases) == 0 {
				time.AfterFunc(rand.N(150*time.Millisecond), func() { _ = cmd.Process.Kill() })
			}
			leases = append(leases, lease(name))
		}
	}
	if err := cmd.Wait(); err == nil || len(leases) == 0 {
		t.Fatalf("the process was not killed at work: %v, %d leases", err, len(leases))
	}
	return leases
}

// Down from another process, given the leases alone, leaves nothing, now or
// later, and nothing else removed. One that does not wait for late creates
// leaves something: that is how much the fake sees.
func TestKillLeaksNothing(t *testing.T) {
	careless := hard("")
	careless.Late, careless.LateRate = 0, 0
	for name, tt := range map[string]struct {
		o     Options
		leaks bool
	}{"with care": {hard(""), false}, "without": {careless, true}} {
		t.Run(name, func(t *testing.T) {
			leaked := 0
			// On a busy machine what is late has often come before it is missed.
			for i := 0; i < 12 || tt.leaks && leaked == 0 && i < 200; i++ {
				leaked += leftAfterKill(t, tt.o)
			}
			if leaked > 0 != tt.leaks {
				t.Errorf("%d resources leaked", leaked)
			}
		})
	}
}

func leftAfterKill(t *testing.T, o Options) int {
	t.Helper()
	o.Dir = t.TempDir()
	leases := killed(t, o.Dir)
	p, cloud := made(t, o)
	for name, l := range map[string]provision.Lease{"foreign": {}, "another": lease("another")} {
		if err := cloud.Add(disk, name, l); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range leases {
		// More than once only where errors beat Down's own patience.
		var err error
		for range 5 {
			if err = p.Down(context.Background(), l); err == nil {
				break
			}
		}
		if err != nil {
			t.Errorf("down: %v", err)
		}
	}
	there := truth(t, cloud)
	if misused, err := cloud.Misuses(); err != nil || len(misused) > 0 {
		t.Errorf("misuses %q, %v", misused, err)
	}
	kept := 0
	for _, r := range there {
		if r.Name == "foreign" || r.Name == "another" {
			kept++
		}
	}
	if kept != 2 {
		t.Errorf("%d of 2 resources of others are there", kept)
	}
	return len(there) - kept
}

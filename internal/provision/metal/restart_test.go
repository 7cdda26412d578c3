package metal

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/remote"
)

// A machine that is booted is away for a while, and its connections end; one
// that stays away, or boots no more, is told, and blames nobody.
func TestRestart(t *testing.T) {
	f := newShams(t, 2)
	lease := testLease("q-restart")
	c, err := f.instance(t).Up(soon(t), lease, f.spec(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	victim, n := f.hosts[1], c.Nodes[1]
	victim.at("--no-block", func() {
		write(t, victim.root+"/proc/sys/kernel/random/boot_id", "boot-1\n")
		// On its way down and up it does not see its own disk for a while.
		name := victim.root + home + "/name"
		if err := os.Rename(name, name+".away"); err != nil {
			t.Error(err)
		}
		time.AfterFunc(800*time.Millisecond, func() { _ = os.Rename(name+".away", name) })
		victim.server.Away(true)
		time.AfterFunc(300*time.Millisecond, func() { victim.server.Away(false) })
	})
	before, err := cluster.Boot(soon(t), n)
	if err != nil {
		t.Fatal(err)
	}
	write(t, victim.root+"/proc/sys/net/ipv4/ip_forward", "0\n") // as after a boot
	if err := n.Restart(soon(t)); err != nil {
		t.Fatal(err)
	}
	if now, err := cluster.Boot(soon(t), n); err != nil || now == before {
		t.Errorf("boot %q, before %q: %v", now, before, err)
	}
	if out, err := n.Exec(soon(t), cluster.Command("cat", "/proc/sys/net/ipv4/ip_forward")); err != nil || string(out.Stdout) != "1\n" {
		t.Errorf("ip_forward after the boot: %q, %v", out.Stdout, err)
	}
	victim.at("--no-block", func() { victim.server.Away(true) })
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := n.Restart(ctx); err == nil || !strings.Contains(err.Error(), "restarting host h1: it did not come back") {
		t.Errorf("a machine that stays away: %v", err)
	}
	victim.server.Away(false)
	if err := f.instance(t).Down(soon(t), lease); err != nil {
		t.Errorf("down: %v", err)
	}
	if err := n.Restart(soon(t)); !errors.Is(err, remote.ErrRefused) {
		t.Errorf("a machine that was given back is booted: %v", err)
	}
}

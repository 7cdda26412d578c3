package metal

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/remote"
)

// Of many who want a host at the same time one gets it, and the others hear
// who that is.
func TestTakenOnce(t *testing.T) {
	f := newShams(t, 1)
	p := f.instance(t)
	machines, end, err := p.connect(p.inv.Hosts)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	m := machines[0]
	names := []string{"q-a", "q-b", "q-c", "q-d", "q-e", "q-f"}
	errs := make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { errs[i] = take(soon(t), m.remote.Root(remote.Guard{}), testLease(name)) })
	}
	all.Wait()
	winner := ""
	for i, err := range errs {
		if err == nil {
			if winner != "" {
				t.Errorf("both %s and %s have the host", winner, names[i])
			}
			winner = names[i]
		}
	}
	held, err := holder(soon(t), m.remote.Root(remote.Guard{}))
	if err != nil || held == nil || held.Lease.Name != testLease(winner).Name || held.Lease.Run != "run-1" {
		t.Fatalf("%s has the host, which says %+v, %v", winner, held, err)
	}
	for i, err := range errs {
		if names[i] == winner {
			continue
		}
		if !errors.Is(err, errHeld) || !strings.Contains(err.Error(), "by lease "+testLease(winner).Name+" of run run-1, by metal-test/1") {
			t.Errorf("%s: %v", names[i], err)
		}
		if _, err := m.remote.Root(worker(testLease(names[i]))).Exec(soon(t), cluster.Command("true")); !errors.Is(err, remote.ErrRefused) {
			t.Errorf("%s runs commands: %v", names[i], err)
		}
	}
	if _, err := m.remote.Root(worker(testLease(winner))).Exec(soon(t), cluster.Command("true")); err != nil {
		t.Errorf("%s runs no commands: %v", winner, err)
	}
}

// What stands in a host's home comes from outside.
func TestClaimsThatAreNone(t *testing.T) {
	for _, text := range []string{"", "{", "[]", "{}", `{"Lease":{"Name":""}}`, `{"Lease":{"Name":"q"},"More":1}`, `{"Lease":7}`} {
		if c, err := readClaim([]byte(text)); err == nil {
			t.Errorf("%q is %+v", text, c)
		}
	}
}

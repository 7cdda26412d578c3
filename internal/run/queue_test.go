package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/suites"
)

// opened are the operating systems whose cells were begun, in order.
func opened(events []result.Event) []string {
	var systems []string
	for _, e := range of(events, result.LeaseOpened) {
		system, _, _ := strings.Cut(e.Cell, "-v1-34")
		systems = append(systems, system)
	}
	return systems
}

// A cell that the infrastructure keeps failing does not keep the slot from
// those that have not had their turn.
func TestEveryCellHasATurnBeforeAnyHasASecond(t *testing.T) {
	w := newWorld(t)
	w.systems, w.retries = []string{"a", "b", "c"}, 2
	w.deps.Capacity = map[string]int{fake.Name: 1}
	inner, err := fake.Entry(w.options).New(provision.Config{Log: t.Logf, Sink: w.deps.Sink})
	if err != nil {
		t.Fatal(err)
	}
	w.deps.Provisioners = map[string]provision.Provisioner{fake.Name: failing{inner, "a-"}}
	o := w.execute(context.Background())
	if got := strings.Join(opened(w.events), " "); got != "a b c a a" {
		t.Errorf("turns %s", got)
	}
	if o.doc.Verdict != result.Inconclusive || len(o.left) > 0 {
		t.Errorf("%s, left %v", o.doc.Verdict, o.left)
	}
}

// failing has faulty infrastructure for some cells.
type failing struct {
	provision.Provisioner
	cell string
}

// Up fails.
func (f failing) Up(ctx context.Context, l provision.Lease, s provision.Spec) (*cluster.Cluster, error) {
	if strings.HasPrefix(l.Cell, f.cell) {
		return nil, errors.New("out of addresses")
	}
	return f.Provisioner.Up(ctx, l, s)
}

// Whatever the slots: each cell is worked on, never more at a time than there
// are slots, each as often as it asks for, and in the order of the plan at first.
func TestSlots(t *testing.T) {
	for _, slots := range []int{0, 1, 2, 3, 8} {
		const cells = 7
		var all []*execution
		for i := range cells {
			all = append(all, &execution{cell: PlanCell{ID: fmt.Sprint(i), Values: map[string]string{"provisioner": fmt.Sprint(i % 2)}}})
		}
		var mu sync.Mutex
		now, turns := map[string]int{}, map[string]int{}
		inSlots(all, map[string]int{"0": slots, "1": slots}, func(e *execution) bool {
			name := e.cell.Values["provisioner"]
			mu.Lock()
			now[name]++
			if now[name] > max(1, slots) {
				t.Errorf("%d at a time in %d slots", now[name], slots)
			}
			turns[e.cell.ID]++
			again := turns[e.cell.ID] <= asks(e)
			mu.Unlock()
			defer func() { mu.Lock(); now[name]--; mu.Unlock() }()
			return again
		})
		for _, e := range all {
			if got, want := turns[e.cell.ID], asks(e)+1; got != want {
				t.Errorf("%d slots: cell %s had %d turns, want %d", slots, e.cell.ID, got, want)
			}
		}
	}
}

// asks is how many more turns than one a cell needs.
func asks(e *execution) int { return int(e.cell.ID[0]-'0') % 3 }

// bad fails the first case on one system.
func bad(system string) suites.Suite {
	return suiteOf("tiny", func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
		if strings.Contains(env.Dir, "/"+system+"-") {
			emit(result.Case{Name: "dns", Outcome: result.Fail, Attempt: 1, Message: "as the test wants it"})
			env.Expected = env.Expected[1:]
		}
		return pass(ctx, env, emit)
	})
}

// With the policy, nothing is begun after a cell that is not qualified; the
// others say why. Without it, everything runs. The verdict is the same.
func TestFailFast(t *testing.T) {
	for _, test := range []struct {
		fast bool
		want string
	}{{true, "a b"}, {false, "a b c d"}} {
		w := newWorld(t)
		w.systems, w.policy = []string{"a", "b", "c", "d"}, result.Policy{Name: "p", FailFast: test.fast}
		w.suites = []suites.Suite{bad("b")}
		o := w.execute(context.Background())
		if got := strings.Join(opened(w.events), " "); got != test.want {
			t.Errorf("fail fast %v: %s were begun, want %s", test.fast, got, test.want)
		}
		if o.doc.Verdict != result.NotQualified || o.doc.ExitCode != 1 || len(o.left) > 0 {
			t.Errorf("fail fast %v: %s with %d, left %v", test.fast, o.doc.Verdict, o.doc.ExitCode, o.left)
		}
		notes := of(w.events, result.Note)
		if test.fast != (len(notes) == 2) || test.fast && !strings.Contains(notes[0].Text, "the first cell that is not qualified, which is b-") {
			t.Errorf("fail fast %v: notes %+v", test.fast, notes)
		}
		if !test.fast {
			continue
		}
		// A resume begins nothing either, and removes nothing that it did not make.
		before := len(w.events)
		if o = w.resume(context.Background()); o.doc.Verdict != result.NotQualified || len(opened(w.events[before:])) > 0 || len(o.left) > 0 {
			t.Errorf("resumed: %s, begun %v", o.doc.Verdict, opened(w.events[before:]))
		}
	}
}

// What a waiver excuses, and what the infrastructure failed, stops nothing.
func TestFailFastGoesByTheVerdict(t *testing.T) {
	w := newWorld(t)
	w.systems, w.suites = []string{"a", "b"}, []suites.Suite{bad("a")}
	w.policy = result.Policy{Name: "p", FailFast: true, Waivers: []result.Waiver{{Suite: "tiny", Case: "dns", Reason: "known", Owner: "o", Issue: "#1", Expires: result.NewDate(time.Now().AddDate(1, 0, 0))}}}
	w.execute(context.Background())
	if got := opened(w.events); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("a waived failure: %v were begun", got)
	}
	w = newWorld(t)
	w.systems, w.policy = []string{"a", "b"}, result.Policy{Name: "p", FailFast: true}
	inner, err := fake.Entry(w.options).New(provision.Config{Log: t.Logf, Sink: w.deps.Sink})
	if err != nil {
		t.Fatal(err)
	}
	w.deps.Provisioners = map[string]provision.Provisioner{fake.Name: failing{inner, "a-"}}
	w.execute(context.Background())
	if got := opened(w.events); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("a fault of the infrastructure: %v were begun", got)
	}
}

// A cluster that a killed process left is removed, though nothing is begun any
// more.
func TestFailFastLeavesNothing(t *testing.T) {
	w := newWorld(t)
	w.systems, w.policy = []string{"a", "b"}, result.Policy{Name: "p", FailFast: true}
	w.suites = []suites.Suite{bad("a")}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	machines := 0
	w.observe = func(e result.Event) {
		if e.Kind == result.PhaseStarted && e.Phase == "machines" {
			if machines++; machines == 2 {
				cancel(errors.New("killed"))
			}
		}
	}
	w.deps.Capacity, w.deps.Keep = map[string]int{fake.Name: 2}, true // as a kill leaves it
	if o := w.execute(ctx); len(o.left) == 0 {
		t.Fatal("nothing was left to remove")
	}
	w.observe, w.deps.Keep, w.deps.Capacity = nil, false, nil
	before := len(w.events)
	if o := w.resume(context.Background()); len(o.left) > 0 || !slices.Equal(opened(w.events[before:]), []string{"a"}) || o.doc.Verdict != result.NotQualified {
		t.Errorf("%s, left %+v, %v", o.doc.Verdict, o.left, story(w.events))
	}
}

// So is one that could have been gone on with.
func TestAbandon(t *testing.T) {
	s := standing{adopt: &provision.Lease{Name: "q-2"}, remove: []provision.Lease{{Name: "q-1"}}}
	if s.abandon(); !s.done || s.adopt != nil || len(s.remove) != 2 || s.remove[1].Name != "q-2" {
		t.Errorf("%+v", s)
	}
}

package ginkgo

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2/types"
	"pgregory.net/rapid"
)

// Specs start in the order in which they are wanted, those that run alone at
// the end.
func TestExecuteInOrder(t *testing.T) {
	t.Parallel()
	wanted := []string{
		"[sample] passes too", "[sample] runs alone", "[sample] names is short", "[sample] ordered goes first and fails",
		"[sample] ordered goes second", "[sample] tells", "[sample] fails", "[sample] passes",
	}
	want := append(slices.Delete(slices.Clone(wanted), 1, 2), wanted[1])
	for range 3 { // of several seeds
		run := knowing(t, sampleRun(t, "", wanted...))
		run.Alone = true
		var got []string
		if err := run.Execute(t.Context(), func(r types.SpecReport) { got = append(got, r.FullText()) }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("they ended as %q, want %q", got, want)
		}
	}
}

// With the listing everything is as without it, and specs that nobody wants
// are not even skipped.
func TestExecuteInOrderReportsEachSpecOnce(t *testing.T) {
	t.Parallel()
	run := knowing(t, sampleRun(t, "", slices.DeleteFunc(names(ordinary), func(n string) bool { return n == "[sample] is pending" })...))
	run.Procs = 4
	reports, err := execute(t, t.Context(), run)
	if err != nil || len(reports) != len(ordinary)-1 {
		t.Errorf("%d reports, %v", len(reports), err)
	}
	for name, got := range reports {
		if len(got) != 1 || got[0].State != ordinary[name] {
			t.Errorf("%q reported %d times, first as %s", name, len(got), got[0].State)
		}
	}
	if log := read(t, run.Dir, "specs.jsonl"); strings.Contains(log, "was not selected") || strings.Contains(log, "passes at its first") {
		t.Errorf("the record holds others: %s", log)
	}
}

// A process that dies takes exactly the spec that it was at, and the rest goes on.
func TestExecuteSurvivesDeaths(t *testing.T) {
	t.Parallel()
	const pass, dead = types.SpecStatePassed, types.SpecStateAborted
	for _, c := range []map[string]types.SpecState{
		{"[sample] dying exits with 7": dead},
		{"[sample] dying exits with 7": dead, "[sample] passes": pass, "[sample] is slow": pass, "[sample] runs alone": pass},
		{
			"[sample] dying exits with 0": dead, "[sample] dying exits with 1": dead, "[sample] dying exits with 7": dead,
			"[sample] passes": pass, "[sample] passes too": pass, "[sample] tells": pass, "[sample] runs alone": pass,
		},
		{"[sample] dying exits alone": dead, "[sample] passes": pass},
		{"[sample] dying exits alone": dead, "[sample] runs alone": pass, "[sample] passes": pass, "[sample] dying exits with 7": dead},
		{"[sample] dying in order passes first": pass, "[sample] dying in order exits then": dead, "[sample] dying in order never comes": dead, "[sample] passes": pass},
	} {
		for _, alone := range []bool{false, true} {
			run := knowing(t, sampleRun(t, "", slices.Sorted(maps.Keys(c))...))
			run.Alone = alone
			reports, err := execute(t, t.Context(), run)
			if err != nil {
				t.Errorf("%v: %v", slices.Sorted(maps.Keys(c)), err)
			}
			for name, state := range c {
				got := reports[name]
				if len(got) != 1 || got[0].State != state {
					t.Errorf("%q is reported %d times: %v; want it as %s", name, len(got), got, state)
				} else if state == dead && !strings.Contains(got[0].Failure.Message, "its process died while it ran: ") {
					t.Errorf("%q: %q", name, got[0].Failure.Message)
				}
			}
			if len(reports) != len(c) {
				t.Errorf("%d reports of %d", len(reports), len(c))
			}
		}
	}
}

// What a second pass skips, since the first has run it, is no second result.
func TestExecuteInTwoPasses(t *testing.T) {
	t.Parallel()
	wanted := []string{"[sample] dying exits alone", "[sample] runs alone"}
	for range 40 { // every other seed has the one that dies first
		run := knowing(t, sampleRun(t, "", wanted...))
		reports, err := execute(t, t.Context(), run)
		if err != nil || len(reports[wanted[0]]) != 1 || len(reports[wanted[1]]) != 1 {
			t.Fatalf("%d and %d reports, %v", len(reports[wanted[0]]), len(reports[wanted[1]]), err)
		}
		if _, err := os.Stat(filepath.Join(run.Dir, "process-1.pass2.log")); err == nil {
			return
		}
	}
	t.Error("there was no second pass")
}

// A binary that always dies is given up.
func TestExecuteGivesUp(t *testing.T) {
	t.Parallel()
	wanted := []string{"[sample] runs alone"}
	for i := range 12 {
		wanted = append(wanted, fmt.Sprintf("[sample] dying exits too, number %d", i))
	}
	reports, err := execute(t, t.Context(), knowing(t, sampleRun(t, "", wanted...)))
	if err == nil || !strings.Contains(err.Error(), "12 specs have ended their process, and 1 more did not run") || len(reports) != 12 {
		t.Errorf("%d reports, %v", len(reports), err)
	}
}

// Where processes have another order than the listing says, everything is run
// nevertheless, once, and nobody is blamed for a death.
func TestExecuteWithAWrongListing(t *testing.T) {
	t.Parallel()
	wanted := slices.DeleteFunc(names(ordinary), func(n string) bool { return n == "[sample] is pending" })
	for _, alone := range []bool{false, true} {
		run := knowing(t, sampleRun(t, "", wanted...))
		run.Alone = alone
		slices.Reverse(run.Listing.groups)
		reports, err := execute(t, t.Context(), run)
		if err != nil || len(reports) != len(wanted) {
			t.Errorf("%d reports of %d, %v", len(reports), len(wanted), err)
		}
		for name, got := range reports {
			if len(got) != 1 {
				t.Errorf("%q is reported %d times", name, len(got))
			}
		}
	}
	run := knowing(t, sampleRun(t, "", "[sample] passes", "[sample] dying exits with 7"))
	run.Alone = true
	slices.Reverse(run.Listing.groups)
	if reports, err := execute(t, t.Context(), run); err == nil || len(reports["[sample] dying exits with 7"]) > 0 {
		t.Errorf("a death that nobody can place: %v, %v", reports, err)
	}
}

// The files of a submission tell what was reported.
func TestExecuteTranscript(t *testing.T) {
	t.Parallel()
	run := knowing(t, sampleRun(t, "", "[sample] passes", "[sample] fails", "[sample] runs alone"))
	run.Alone, run.Transcript = true, true
	if _, err := execute(t, t.Context(), run); err != nil {
		t.Fatal(err)
	}
	log, junit := read(t, run.Dir, "e2e.log"), read(t, run.Dir, "junit_01.xml")
	for _, words := range []string{
		"Will run 3 of ", "[sample] passes", "the answer was 41", "Ran 3 of ", "FAIL! -- 2 Passed | 1 Failed", "Test Suite Failed",
	} {
		if !strings.Contains(log, words) {
			t.Errorf("e2e.log lacks %q", words)
		}
	}
	for _, words := range []string{`name="[It] [sample] passes"`, `name="[It] [sample] fails"`, `name="[It] [sample] runs alone"`, "<failure"} {
		if !strings.Contains(junit, words) {
			t.Errorf("junit_01.xml lacks %q", words)
		}
	}
}

// A focus that selects the same is what processes get, until they have to run less.
func TestPassFocus(t *testing.T) {
	run := Run{Focus: "all", Specs: []string{"a", "b"}}
	if got := (&pass{Run: run, specs: run.Specs}).focus(); got != "all" {
		t.Errorf("of all: %q", got)
	}
	if got := (&pass{Run: run, specs: run.Specs[:1]}).focus(); got != " (?:a)$" {
		t.Errorf("of some: %q", got)
	}
	run.Focus = ""
	if got := (&pass{Run: run, specs: run.Specs}).focus(); got != " (?:a|b)$" {
		t.Errorf("without: %q", got)
	}
}

// Whatever the processes do, each wanted group is dealt once, in order, and the
// victims of a process are what it did not report of its group.
func TestPropertyDealer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Listing
		var all []string
		for i := range rapid.IntRange(1, 12).Draw(t, "groups") {
			var group []string
			for j := range rapid.IntRange(1, 3).Draw(t, "size") {
				group = append(group, fmt.Sprintf("g%d s%d", i, j))
			}
			l.groups = append(l.groups, group)
			all = append(all, group...)
		}
		wanted := rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, len(all), rapid.ID[string]).Draw(t, "wanted")
		d := newDealer(l, wanted, false)
		dead := map[int][]string{}
		var dealt []int
		reported := map[string]bool{}
		for process := range 3 {
			for {
				i := d.deal(process)
				if i == nothing {
					break
				}
				dealt = append(dealt, i)
				n := rapid.IntRange(0, len(l.groups[i])).Draw(t, "reported")
				if rapid.Bool().Draw(t, "whole") {
					n = len(l.groups[i])
				}
				for _, name := range l.groups[i][:n] {
					reported[name] = true
					d.reported(process, types.SpecReport{LeafNodeType: types.NodeTypeIt, LeafNodeText: name})
				}
				if n < len(l.groups[i]) {
					dead[process] = l.groups[i][n:]
					break
				}
			}
		}
		if d.counts() {
			t.Fatal("the order is lost")
		}
		for process := range 3 {
			var want []string
			for _, name := range dead[process] {
				if slices.Contains(wanted, name) {
					want = append(want, name)
				}
			}
			if got := d.victims(process); !slices.Equal(got, want) {
				t.Fatalf("victims of process %d: %q, want %q", process, got, want)
			}
		}
		var want []int
		for _, name := range wanted {
			i := slices.IndexFunc(l.groups, func(g []string) bool { return slices.Contains(g, name) })
			if !slices.Contains(want, i) {
				want = append(want, i)
			}
		}
		if len(dealt) > len(want) || !slices.Equal(dealt, want[:len(dealt)]) || len(dead) < 3 && len(dealt) < len(want) {
			t.Fatalf("dealt %v of %v", dealt, want)
		}
	})
}

func TestCompanions(t *testing.T) {
	l := Listing{groups: [][]string{{"a1", "a2", "a3"}, {"b"}, {"c1", "c2"}}}
	for _, c := range []struct{ specs, others, want []string }{
		{[]string{"b"}, []string{"a1", "b"}, []string{"b"}},
		{[]string{"a2", "b"}, []string{"a1", "a2", "c1"}, []string{"a2", "b", "a1"}},
		{[]string{"c2", "a3"}, []string{"c1", "a1", "a2"}, []string{"c2", "a3", "a1", "a2", "c1"}},
		{[]string{"x"}, []string{"a1"}, []string{"x"}},
		{nil, []string{"a1"}, nil},
	} {
		if got := l.Companions(c.specs, c.others); !slices.Equal(got, c.want) {
			t.Errorf("%q among %q: %q, want %q", c.specs, c.others, got, c.want)
		}
	}
}

// What is not given is no ground for blame.
func TestDealerLosesTheOrder(t *testing.T) {
	l := Listing{groups: [][]string{{"a"}, {"b"}, {"c"}}, serial: []string{"s", "t"}}
	it := func(name string) types.SpecReport {
		return types.SpecReport{LeafNodeType: types.NodeTypeIt, LeafNodeText: name}
	}
	d := newDealer(l, []string{"c", "a", "t"}, false)
	if i := d.deal(1); i != 2 {
		t.Errorf("dealt %d", i)
	}
	d.reported(1, types.SpecReport{LeafNodeType: types.NodeTypeBeforeSuite})
	if d.counts() || !slices.Equal(d.victims(1), []string{"c"}) {
		t.Errorf("victims %q", d.victims(1))
	}
	d.reported(1, it("b"))
	if !d.counts() || d.victims(1) != nil {
		t.Error("it goes on as if nothing had happened")
	}
	// Then it counts, and leaves out what was given.
	for _, want := range []int{0, 1, 3, 4} {
		if i := d.deal(2); i != want {
			t.Errorf("dealt %d, want %d", i, want)
		}
	}
	// A process that asks for more before it has reported is out of order too.
	d = newDealer(l, []string{"c", "a"}, false)
	d.deal(1)
	if i := d.deal(1); i != 0 || !d.counts() {
		t.Errorf("dealt %d", i)
	}
	// What the listing lacks is found by counting.
	if d = newDealer(l, []string{"c", "z"}, false); !d.counts() || d.deal(1) != 0 {
		t.Error("a spec that is not listed is dealt")
	}
	d = newDealer(l, []string{"t"}, false)
	d.clear()
	if got := d.victims(1); !slices.Equal(got, []string{"t"}) {
		t.Errorf("victims %q, of which nobody wanted the first", got)
	}
	// Of the specs that run alone, the first that was not reported, and only
	// once they have begun.
	d = newDealer(l, []string{"t", "s"}, false)
	if got := d.victims(1); len(got) > 0 {
		t.Errorf("victims %q before the end of the others", got)
	}
	d.clear()
	if got := d.victims(1); !slices.Equal(got, []string{"s"}) || d.victims(2) != nil {
		t.Errorf("victims %q", got)
	}
	d.reported(1, it("s"))
	d.reported(1, it("t"))
	if got := d.victims(1); len(got) > 0 {
		t.Errorf("victims %q when all were reported", got)
	}
}

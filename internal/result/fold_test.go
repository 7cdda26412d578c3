package result

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestFoldCleanRun(t *testing.T) {
	ev := Fold(number(cleanRun()))
	if len(ev.Anomalies) > 0 || !ev.Ended || ev.End != RunComplete || len(ev.Starts) != 1 {
		t.Fatalf("%+v", ev)
	}
	c, ok := ev.Cell("c1")
	if !ok || c.LastLease() != 1 || c.Leases[0].State != LeaseClosed || len(c.Identity) != 2 {
		t.Fatalf("%+v", c)
	}
	if !reflect.DeepEqual(c.Phases, []Phase{{"up", 42}}) {
		t.Errorf("phases %+v", c.Phases)
	}
	s, ok := c.Suite("smoke")
	if !ok || len(s.Cases) != 3 || s.Stray != 0 || len(s.Sessions) != 1 || !s.Sessions[0].Ended {
		t.Fatalf("%+v", s)
	}
	if _, ok := s.Case("dns"); !ok {
		t.Error("no case dns")
	}
	if _, ok := s.Case("other"); ok {
		t.Error("found a case that is not there")
	}
}

func TestFoldOfNothing(t *testing.T) {
	if ev := Fold(nil); !reflect.DeepEqual(ev, Evidence{}) {
		t.Fatalf("%+v", ev)
	}
}

func TestFoldLeavesItsInputAlone(t *testing.T) {
	events := number(cleanRun())
	slices.Reverse(events)
	before := slices.Clone(events)
	Fold(events)
	if !reflect.DeepEqual(events, before) {
		t.Fatal("Fold sorted the caller's slice")
	}
}

func TestFoldAnomalies(t *testing.T) {
	back := func(d time.Duration) []Event {
		events := number(cleanRun())
		for i := 6; i < len(events); i++ {
			events[i].Time = events[i].Time.Add(-d)
		}
		return events
	}
	slowly := number(cleanRun())
	for i := range slowly {
		slowly[i].Time = epoch.Add(-time.Duration(i) * 50 * time.Second)
	}
	conflict := append(number(cleanRun()), number(cleanRun())[3])
	conflict[len(conflict)-1].Seconds = 1
	phases := func(jump time.Duration, more ...Event) []Event {
		up := func(k Kind, seconds float64) Event {
			return Event{Kind: k, Cell: "c1", Phase: "up", Seconds: seconds}
		}
		events := number(slices.Concat([]Event{start(), up(PhaseStarted, 0)}, more, []Event{up(PhaseEnded, 600)}))
		events[len(events)-1].Time = events[1].Time.Add(10*time.Minute + jump)
		return events
	}
	foreign := lease(LeaseOpened, "c1", "q-1")
	foreign.Lease.Run = "run-0"
	closedBy := func(run, cell string) []Event {
		closed := lease(LeaseClosed, "c1", "q-1")
		closed.Lease.Run, closed.Lease.Cell = run, cell
		return number(swap(cleanRun(), kindIs(LeaseClosed), closed))
	}
	moved := lease(LeaseOpened, "c1", "q-1")
	moved.Lease.Cell = "c2"
	for name, tc := range map[string]struct {
		events []Event
		want   []Anomaly
	}{
		"clock within tolerance":    {back(2 * time.Minute), nil},
		"clock back":                {back(time.Hour), []Anomaly{{ReasonClockJumped, "", "the clock went back by 59m59s to 2026-09-01T07:00:07Z"}}},
		"phase in time":             {phases(0), nil},
		"phase within tolerance":    {phases(-2 * time.Minute), nil},
		"clock forward":             {phases(time.Hour), []Anomaly{{ReasonClockJumped, "", "the clock jumped by 1h0m0s in phase up, which took 10m0s"}}},
		"clock back, hidden":        {phases(-9 * time.Minute), []Anomaly{{ReasonClockJumped, "", "the clock jumped by -9m0s in phase up, which took 10m0s"}}},
		"phase of a former process": {phases(time.Hour, start()), nil},
		"phase of another cell":     {phases(time.Hour, Event{Kind: PhaseStarted, Cell: "c2", Phase: "up"}), []Anomaly{{ReasonClockJumped, "", "the clock jumped by 1h0m0s in phase up, which took 10m0s"}}},
		"conflict":                  {conflict, []Anomaly{{ReasonJournalDamaged, "", "two different events have the same number"}}},
		"repetition":                {append(number(cleanRun()), number(cleanRun())...), nil},
		"gap":                       {slices.Delete(number(cleanRun()), 2, 3), []Anomaly{{ReasonJournalDamaged, "", "events are missing: their numbers have gaps or do not begin at 1"}}},
		"first missing":             {number(cleanRun())[1:], nil},
		"unnumbered":                {cleanRun(), nil},
		"malformed":                 {number(append(cleanRun(), suite(CaseEnded, "c1", "smoke", ""))), []Anomaly{{ReasonJournalDamaged, "c1", `event "case" names no case`}}},
		"after the end":             {number(append(cleanRun(), identity("c2", StageBefore))), []Anomaly{{ReasonJournalDamaged, "c2", "results were recorded before the run started or after it ended"}}},
		"end without start":         {number(append(cleanRun(), end(RunComplete))), []Anomaly{{ReasonJournalDamaged, "", "the run ended without having started"}}},
		"lease of other run":        {number(swap(cleanRun(), kindIs(LeaseOpened), foreign)), []Anomaly{{ReasonRunMismatch, "c1", `lease "q-1" belongs to run "run-0"`}}},
		"lease of other cell":       {number(swap(cleanRun(), kindIs(LeaseOpened), moved)), []Anomaly{{ReasonRunMismatch, "c1", `lease "q-1" belongs to cell "c2"`}}},
		"closed by other run":       {closedBy("run-0", "c1"), []Anomaly{{ReasonRunMismatch, "c1", `lease "q-1" belongs to run "run-0"`}}},
		"closed by other cell":      {closedBy("run-1", "c2"), []Anomaly{{ReasonRunMismatch, "c1", `lease "q-1" belongs to cell "c2"`}}},
		"closed by its name alone":  {closedBy("", ""), nil},
		"after the lease":           {number(swap(cleanRun(), kindIs(SuiteStarted), lease(LeaseClosed, "c1", "q-1"), suite(SuiteStarted, "c1", "smoke", ""))), []Anomaly{{ReasonJournalDamaged, "c1", "results were recorded after the cell's resources were gone"}}},
	} {
		got := Fold(tc.events).Anomalies
		if name == "first missing" || name == "unnumbered" {
			if len(got) == 0 {
				t.Errorf("%s: no anomaly", name)
			}
			continue
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, tc.want)
		}
	}
	if got := Fold(slowly).Anomalies; len(got) == 0 || got[0].Code != ReasonClockJumped {
		t.Errorf("many small steps back: %+v", got)
	}
}

// Which of two contradictory events came first in the slice does not matter.
func TestFoldConflictsInAnyOrder(t *testing.T) {
	first := number(cleanRun())
	other := slices.Clone(first)
	other[3].Seconds = 1
	a, b := Fold(slices.Concat(first, other)), Fold(slices.Concat(other, first))
	if len(a.Anomalies) != 1 || !reflect.DeepEqual(a, b) {
		t.Errorf("\n%+v\n%+v", a, b)
	}
	odd := ended("c1", "smoke", "exec", 1, Outcome(9)) // cannot be encoded
	events := number(swap(cleanRun(), caseIs("exec"), odd))
	changed := slices.Clone(events)
	changed[7].Text = "changed"
	if got := Fold(slices.Concat(events, events)).Anomalies; len(got) != 0 {
		t.Errorf("repetition: %+v", got)
	}
	if got := Fold(slices.Concat(events, changed)).Anomalies; len(got) != 1 {
		t.Errorf("conflict: %+v", got)
	}
}

func TestFoldLeases(t *testing.T) {
	opened, closed, kept := lease(LeaseOpened, "c1", "q-1"), lease(LeaseClosed, "c1", "q-1"), lease(LeaseKept, "c1", "q-1")
	second := lease(LeaseOpened, "c1", "q-2")
	left := Event{Kind: Leftover, Cell: "c1", Text: "volume v"}
	leftOfFirst := Event{Kind: Leftover, Cell: "c1", Text: "volume v", Lease: opened.Lease}
	bare := Event{Kind: LeaseClosed, Cell: "c1"}
	for name, tc := range map[string]struct {
		events []Event
		leases int
		left   []string
	}{
		"closed":               {[]Event{opened, closed}, 1, []string{}},
		"closed without name":  {[]Event{opened, bare}, 1, []string{}},
		"closed by text":       {[]Event{opened, second, {Kind: LeaseClosed, Cell: "c1", Text: "q-1"}}, 2, []string{"everything of lease q-2, which was never closed"}},
		"closed with words":    {[]Event{opened, {Kind: LeaseClosed, Cell: "c1", Text: "at last"}}, 1, []string{"everything of lease q-1, which was never closed"}},
		"kept with words":      {[]Event{opened, {Kind: LeaseKept, Cell: "c1", Text: "q-9"}}, 1, []string{"everything of lease q-1, which was never closed"}},
		"kept by text":         {[]Event{opened, {Kind: LeaseKept, Cell: "c1", Text: "q-1"}}, 1, []string{}},
		"closed unknown":       {[]Event{opened, lease(LeaseClosed, "c1", "q-9")}, 1, []string{"everything of lease q-1, which was never closed"}},
		"never closed":         {[]Event{opened}, 1, []string{"everything of lease q-1, which was never closed"}},
		"kept":                 {[]Event{opened, kept}, 1, []string{}},
		"kept, then closed":    {[]Event{opened, kept, closed}, 1, []string{}},
		"leftover":             {[]Event{opened, left}, 1, []string{"volume v"}},
		"leftover removed":     {[]Event{opened, left, closed}, 1, []string{}},
		"leftover after close": {[]Event{opened, closed, left}, 1, []string{"volume v"}},
		"leftover of none":     {[]Event{left}, 0, []string{"volume v"}},
		"closed but none open": {[]Event{closed}, 0, []string{}},
		"adopted":              {[]Event{opened, opened, closed}, 1, []string{}},
		"adopted after kept":   {[]Event{opened, kept, opened}, 1, []string{"everything of lease q-1, which was never closed"}},
		"made again":           {[]Event{opened, closed, opened, closed}, 2, []string{}},
		"other name":           {[]Event{opened, second}, 2, []string{"everything of lease q-1, which was never closed", "everything of lease q-2, which was never closed"}},
		"earlier one closed":   {[]Event{opened, second, closed}, 2, []string{"everything of lease q-2, which was never closed"}},
		"earlier one leaks":    {[]Event{opened, second, leftOfFirst, lease(LeaseClosed, "c1", "q-2")}, 2, []string{"volume v"}},
	} {
		c, _ := Fold(number(append([]Event{start()}, tc.events...))).Cell("c1")
		if c.LastLease() != tc.leases || !reflect.DeepEqual(c.Unreleased(), tc.left) {
			t.Errorf("%s: %d leases, left %q", name, c.LastLease(), c.Unreleased())
		}
	}
}

func TestFoldPhases(t *testing.T) {
	up, done := Event{Kind: PhaseStarted, Cell: "c1", Phase: "up"}, Event{Kind: PhaseEnded, Cell: "c1", Phase: "up", Seconds: 3}
	down := Event{Kind: PhaseEnded, Cell: "c1", Phase: "down", Seconds: 1}
	c, _ := Fold(number([]Event{start(), up, up, done, down, done})).Cell("c1")
	if want := []Phase{{"up", 3}, {"up", 3}, {"down", 1}}; !reflect.DeepEqual(c.Phases, want) {
		t.Errorf("phases %+v", c.Phases)
	}
}

func TestFoldRunLevel(t *testing.T) {
	ev := Fold(number([]Event{
		start(),
		{Kind: PhaseEnded, Phase: "build", Seconds: 5},
		{Kind: InfraFault, Text: "engine gone", Log: "log"},
		{Kind: Note, Text: "a warning"},
		{Kind: Leftover, Text: "network n"},
		end(RunInterrupted("SIGINT")),
		start(),
	}))
	want := Evidence{
		Starts: ev.Starts, Phases: []Phase{{"build", 5}}, Notes: []string{"a warning"},
		Faults: []Fault{{Lease: 1, Text: "engine gone", Log: "log"}}, Leftovers: []string{"network n"},
	}
	if len(ev.Starts) != 2 || !reflect.DeepEqual(ev, want) {
		t.Errorf("%+v", ev)
	}
}

func TestFoldAttempts(t *testing.T) {
	events := swap(cleanRun(), caseIs("exec"),
		ended("c1", "smoke", "exec", 2, Pass), // reported out of turn
		ended("c1", "smoke", "exec", 1, Fail),
		suite(SuiteEnded, "c1", "smoke", "killed"),
		ended("c1", "smoke", "exec", 3, Pass), // outside
		suite(SuiteStarted, "c1", "smoke", ""),
		ended("c1", "smoke", "exec", 1, Skip),
	)
	c, _ := Fold(number(events)).Cell("c1")
	s, _ := c.Suite("smoke")
	if s.Stray != 1 || len(s.Sessions) != 2 || s.Sessions[0].Text != "killed" {
		t.Errorf("stray %d, sessions %+v", s.Stray, s.Sessions)
	}
	got, _ := s.Case("exec")
	var outcomes []Outcome
	for _, a := range got.Attempts {
		outcomes = append(outcomes, a.Case.Outcome)
	}
	if !slices.Equal(outcomes, []Outcome{Fail, Pass, Pass, Skip}) {
		t.Errorf("attempts %+v", got.Attempts)
	}
}

package result

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawnPlan has up to three cells with up to two suites of up to three cases.
func drawnPlan(t *rapid.T) Plan {
	plan := onePlan()
	plan.Cells = nil
	for c := range rapid.IntRange(1, 3).Draw(t, "cells") {
		cell := PlanCell{ID: fmt.Sprintf("c%d", c+1), Release: plan.Release}
		for s := range rapid.IntRange(1, 2).Draw(t, "suites") {
			suite := PlanSuite{Name: fmt.Sprintf("s%d", s+1)}
			for k := range rapid.IntRange(1, 3).Draw(t, "cases") {
				suite.Expected = append(suite.Expected, fmt.Sprintf("case %d", k+1))
			}
			cell.Suites = append(cell.Suites, suite)
		}
		plan.Cells = append(plan.Cells, cell)
	}
	return plan
}

// attempts draws what happened to a case; bad says how often it is not a pass.
func attempts(t *rapid.T, cell, suite, name string, bad int) []Event {
	var events []Event
	for n := range rapid.IntRange(1, 2).Draw(t, "attempts") {
		o := Pass
		if rapid.IntRange(1, 100).Draw(t, "luck") <= bad {
			o = rapid.SampledFrom([]Outcome{NotRun, Pass, Fail, Error, Skip}).Draw(t, "outcome")
		}
		events = append(events, ended(cell, suite, name, n+1, o))
	}
	return events
}

// lifeOf draws the events of a cell: one lease, sometimes one before it that
// met a fault.
func lifeOf(t *rapid.T, cell PlanCell, bad int) []Event {
	var events []Event
	unlucky := func(label string, e Event) {
		if rapid.IntRange(1, 100).Draw(t, label) <= bad {
			events = append(events, e)
		}
	}
	lives := 1
	if bad > 0 {
		lives = rapid.IntRange(1, 2).Draw(t, "leases")
	}
	for life := range lives {
		name := fmt.Sprintf("q-%s-%d", cell.ID, life)
		events = append(events, lease(LeaseOpened, cell.ID, name), identity(cell.ID, StageBefore))
		for _, s := range cell.Suites {
			for range rapid.IntRange(1, 1+min(bad, 1)).Draw(t, "sessions") {
				events = append(events, suite(SuiteStarted, cell.ID, s.Name, ""))
				for _, name := range s.Expected {
					events = append(events, attempts(t, cell.ID, s.Name, name, bad)...)
				}
				unlucky("unexpected", ended(cell.ID, s.Name, "extra", 1, Skip))
				unlucky("short", Event{Kind: InfraFault, Cell: cell.ID, Suite: s.Name, Text: "no disk left"})
				how := ""
				if rapid.IntRange(1, 100).Draw(t, "broken off") <= bad {
					how = "killed"
				}
				events = append(events, suite(SuiteEnded, cell.ID, s.Name, how))
			}
		}
		events = append(events, identity(cell.ID, StageAfter))
		unlucky("mismatch", changed(identity(cell.ID, StageAfter), func(e *Event) { e.Mismatched = []string{"etcd"} }))
		unlucky("product fault", Event{Kind: ProductFault, Cell: cell.ID, Text: "kubelet"})
		if life < lives-1 {
			events = append(events, Event{Kind: InfraFault, Cell: cell.ID, Text: "engine gone"})
		}
		unlucky("leftover", Event{Kind: Leftover, Cell: cell.ID, Text: "volume"})
		events = append(events, lease(LeaseClosed, cell.ID, name))
	}
	return events
}

// interleaved mixes the cells' events and keeps the order within each.
func interleaved(t *rapid.T, lives [][]Event) []Event {
	events := []Event{start()}
	lives = slices.Clone(lives)
	for len(lives) > 0 {
		i := rapid.IntRange(0, len(lives)-1).Draw(t, "next")
		events = append(events, lives[i][0])
		if lives[i] = lives[i][1:]; len(lives[i]) == 0 {
			lives = slices.Delete(lives, i, i+1)
		}
	}
	return append(events, end(RunComplete))
}

// drawnRun is a plan, the life of each cell and a policy without excuses.
func drawnRun(t *rapid.T) (Plan, [][]Event, Policy) {
	plan := drawnPlan(t)
	bad := rapid.SampledFrom([]int{0, 1, 3, 20, 60}).Draw(t, "bad")
	var lives [][]Event
	for _, cell := range plan.Cells {
		lives = append(lives, lifeOf(t, cell, bad))
	}
	return plan, lives, Policy{FlakesTolerated: rapid.IntRange(0, 2).Draw(t, "tolerated")}
}

func judged(t *rapid.T, plan Plan, events []Event, policy Policy) Document {
	doc := Judge(plan, Fold(events), policy)
	checkDocument(t, doc)
	return doc
}

func TestPropertyOutcomesNeverTurnGreen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, lives, policy := drawnRun(t)
		events := number(interleaved(t, lives))
		before := judged(t, plan, events, policy).Verdict
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			i := rapid.SampledFrom(indices(events, kindIs(CaseEnded))).Draw(t, "case")
			was := *events[i].Case
			was.Outcome = rapid.SampledFrom([]Outcome{NotRun, Fail, Error, Skip, Outcome(9)}).Draw(t, "outcome")
			events[i].Case = &was
		}
		if after := judged(t, plan, events, policy).Verdict; before != Qualified && after == Qualified {
			t.Fatalf("%v became %v", before, after)
		}
	})
}

func TestPropertyOneBadOutcomeIsEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, lives := cleanLives(t)
		events := number(interleaved(t, lives))
		if v := judged(t, plan, events, DefaultPolicy()).Verdict; v != Qualified {
			t.Fatalf("a clean run is %v", v)
		}
		i := rapid.SampledFrom(indices(events, kindIs(CaseEnded))).Draw(t, "case")
		was := *events[i].Case
		was.Outcome = rapid.SampledFrom([]Outcome{NotRun, Fail, Error, Skip}).Draw(t, "outcome")
		events[i].Case = &was
		if v := judged(t, plan, events, DefaultPolicy()).Verdict; v == Qualified {
			t.Fatalf("still Qualified with %+v", was)
		}
	})
}

func cleanLives(t *rapid.T) (Plan, [][]Event) {
	plan := drawnPlan(t)
	var lives [][]Event
	for _, cell := range plan.Cells {
		lives = append(lives, lifeOf(t, cell, 0))
	}
	return plan, lives
}

func indices(events []Event, fits func(Event) bool) []int {
	var all []int
	for i, e := range events {
		if fits(e) {
			all = append(all, i)
		}
	}
	return all
}

// isEvidence are the events without which a clean run shows less than it must.
func isEvidence(e Event) bool {
	switch e.Kind {
	case RunStarted, RunEnded, IdentityMatch, SuiteStarted, CaseEnded, SuiteEnded:
		return true
	}
	return false
}

// The numbers close the gap here, so that the guards must see what is missing
// and not only that something is.
func TestPropertyRemovedEvidenceIsMissed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, lives := cleanLives(t)
		events := interleaved(t, lives)
		i := rapid.SampledFrom(indices(events, isEvidence)).Draw(t, "removed")
		removed := events[i]
		events = number(slices.Delete(events, i, i+1))
		doc := judged(t, plan, events, DefaultPolicy())
		lastAttempt := removed.Kind == CaseEnded && removed.Case.Attempt == 2
		if doc.Verdict == Qualified && !lastAttempt { // a second pass proves nothing that the first did not
			t.Fatalf("Qualified without %+v", removed)
		}
	})
}

// isGood are the events that speak for a release.
func isGood(e Event) bool {
	switch e.Kind {
	case RunStarted, RunEnded, SuiteStarted:
		return true
	case IdentityMatch:
		return len(e.Mismatched) == 0
	case CaseEnded:
		return e.Case.Outcome == Pass
	case SuiteEnded:
		return e.Text == ""
	}
	return false
}

func TestPropertyRemovingGoodNewsNeverTurnsGreen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, lives, policy := drawnRun(t)
		events := interleaved(t, lives)
		before := judged(t, plan, number(events), policy).Verdict
		i := rapid.SampledFrom(indices(events, isGood)).Draw(t, "removed")
		removed := events[i]
		if after := judged(t, plan, number(slices.Delete(events, i, i+1)), policy).Verdict; before != Qualified && after == Qualified {
			t.Fatalf("%v became %v without %+v", before, after, removed)
		}
	})
}

// Bad news cannot be removed either: the numbers tell.
func TestPropertyAnyRemovalIsSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, lives, policy := drawnRun(t)
		events := number(interleaved(t, lives))
		i := rapid.IntRange(0, len(events)-1).Draw(t, "removed")
		removed := events[i]
		if v := judged(t, plan, slices.Delete(events, i, i+1), policy).Verdict; v == Qualified {
			t.Fatalf("Qualified without %+v", removed)
		}
	})
}

func TestPropertyOrderAndDuplicationDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, lives, policy := drawnRun(t)
		events := number(interleaved(t, lives))
		want := Fold(events)
		shuffled := slices.Clone(events)
		for range rapid.IntRange(0, 5).Draw(t, "duplicates") {
			shuffled = append(shuffled, rapid.SampledFrom(events).Draw(t, "again"))
		}
		rng := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := Fold(shuffled); !reflect.DeepEqual(got, want) {
			t.Fatalf("got\n%+v\nwant\n%+v", got, want)
		}
		// Cells that ran beside each other might have been written otherwise.
		before := judged(t, plan, events, policy)
		if after := judged(t, plan, number(interleaved(t, lives)), policy); !reflect.DeepEqual(before, after) {
			t.Fatalf("got\n%+v\nwant\n%+v", after, before)
		}
	})
}

func TestPropertyJournalTellsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, lives, policy := drawnRun(t)
		f := &memFile{}
		j := newJournal(f, ticking())
		var kept []Event
		for _, e := range interleaved(t, lives) {
			stored, err := j.Append(e)
			if err != nil {
				t.Fatal(err)
			}
			kept = append(kept, stored)
		}
		events, _, err := ReadAll(bytes.NewReader(f.data))
		if err != nil {
			t.Fatal(err)
		}
		fromMemory, fromBytes := Fold(kept), Fold(events)
		if !reflect.DeepEqual(fromMemory, fromBytes) {
			t.Fatalf("memory\n%+v\nbytes\n%+v", fromMemory, fromBytes)
		}
		one, err := json.Marshal(Judge(plan, fromMemory, policy))
		if err != nil {
			t.Fatal(err)
		}
		other, err := json.Marshal(Judge(plan, fromBytes, policy))
		if err != nil || !bytes.Equal(one, other) {
			t.Fatalf("%v\n%s\n%s", err, one, other)
		}
		var doc, again Document
		if err := json.Unmarshal(one, &doc); err != nil {
			t.Fatal(err)
		}
		if again = Judge(plan, fromBytes, policy); !reflect.DeepEqual(doc, again) {
			t.Fatalf("read back\n%+v\nwant\n%+v", doc, again)
		}
	})
}

// A journal that a crash cut short never shows more than the whole one.
func TestPropertyCutJournalsAreNeverGreen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, lives, policy := drawnRun(t)
		data := written(t, interleaved(t, lives))
		cut := rapid.IntRange(0, len(data)-1).Draw(t, "cut")
		events, tail, err := ReadAll(bytes.NewReader(data[:cut]))
		if err != nil || tail.Good > int64(cut) {
			t.Fatalf("tail %+v, error %v", tail, err)
		}
		if v := judged(t, plan, events, policy).Verdict; v == Qualified {
			t.Fatalf("Qualified by %d of %d bytes", cut, len(data))
		}
	})
}

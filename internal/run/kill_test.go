package run

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/gc"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
)

// A process is killed at each of its named steps: the first, the one that
// resumes it, and the one that resumes that. The verdict is always that of a
// run that nobody disturbed, and nothing is left.
func TestKilledAtEveryStep(t *testing.T) {
	undisturbed := newKillable(t, job{Cells: 1})
	steps, ended := undisturbed.process(0, nil)
	want, _ := undisturbed.judge()
	if !ended || want.Verdict != result.Qualified || len(steps) < 40 {
		t.Fatalf("undisturbed: ended %v, %s %v, %d steps: %v", ended, want.Verdict, want.Reasons, len(steps), steps)
	}
	// Where the first two are killed before the third one's turn comes: in the
	// second suite, and once in the making of a cluster.
	inSuite := slices.Index(steps, "suite-started second") + 3
	inUp := slices.Index(steps, "end network") + 2
	if inSuite < 3 || inUp < 2 {
		t.Fatalf("steps %v", steps)
	}
	for name, before := range map[string][]int{
		"first run":                         nil,
		"resume of a suite":                 {inSuite},
		"resume of a half-made cluster":     {inUp},
		"resume of the resume":              {inSuite, inUp},
		"resume of the resume of a cluster": {inUp, inSuite},
	} {
		t.Run(name, func(t *testing.T) {
			for at := 1; ; at++ {
				if killedAt(t, want, append(slices.Clone(before), at)) {
					t.Logf("%d steps", at-1)
					if at < 15 {
						t.Errorf("only %d steps", at-1)
					}
					return // there is no such step any more
				}
				if testing.Short() {
					at += 6
				}
			}
		})
	}
}

// killedAt kills one process after the other at the given steps and lets one
// come to its end. It tells whether the last of them ended before its step.
func killedAt(t *testing.T, want result.Document, kills []int) (over bool) {
	t.Helper()
	k := newKillable(t, job{Cells: 1})
	for i, at := range kills {
		_, ended := k.process(at, nil)
		if ended && i < len(kills)-1 {
			t.Fatalf("process %d ended before its step %d", i+1, at)
		}
		over = ended
	}
	if !over {
		if _, ended := k.process(0, nil); !ended {
			t.Fatalf("killed at %v: the last process did not end", kills)
		}
	}
	got, ev := k.judge()
	if got.Verdict != want.Verdict || got.ExitCode != want.ExitCode || !slices.Equal(got.Cells[0].Suites, want.Cells[0].Suites) {
		t.Errorf("killed at %v: %s with %d, %+v, %v; want %s", kills, got.Verdict, got.ExitCode, got.Cells[0].Suites, got.Reasons, want.Verdict)
	}
	k.nothingLost(ev)
	if left := k.left(); len(left) > 0 {
		t.Errorf("killed at %v: left over %v", kills, left)
	}
	// At most the last case of a suite is run again, where the suite's end was
	// not seen.
	for _, what := range k.again {
		if !slices.Contains([]string{"job"}, what[len(what)-3:]) {
			t.Errorf("killed at %v: %q was run again", kills, what)
		}
	}
	return over
}

// killsEnv says how often processes are killed at random; CI says 1000.
const killsEnv = "QUALIFY_KILLS"

// Processes that work on runs of 200 cells, in a cloud with errors, lost
// answers and late creates, are killed at random.
func TestKilledAtRandom(t *testing.T) {
	kills := 40
	if text := os.Getenv(killsEnv); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	all := inLanes(2, kills, func(seed uint64, most int) toll {
		return killedAtRandom(t, job{Cells: 200, Hard: true, Seed: seed}, most)
	})
	t.Logf("%d kills, %d runs, %d results acknowledged, %d lost, %d resources leaked, %d cases of finished cells run again, in %s",
		all.kills, all.runs, all.acked, all.lost, all.leaked, all.again, time.Since(began).Round(time.Second))
	if all.lost+all.leaked+all.again > 0 || all.acked == 0 {
		t.Error("something was lost, leaked or run again")
	}
}

// The control: without records of what was meant to be made, the same kills
// leak. So a leak would be seen above.
func TestKilledWithoutRecords(t *testing.T) {
	all := inLanes(1, 10, func(seed uint64, most int) toll {
		return killedAtRandom(t, job{Cells: 200, Hard: true, Seed: seed, Forgetful: true}, most)
	})
	t.Logf("%d kills leaked %d resources", all.kills, all.leaked)
	if all.leaked == 0 {
		t.Error("nothing leaked")
	}
}

// toll counts what came of kills.
type toll struct{ kills, runs, acked, lost, leaked, again int }

func (a *toll) add(b toll) {
	a.kills, a.runs, a.acked = a.kills+b.kills, a.runs+b.runs, a.acked+b.acked
	a.lost, a.leaked, a.again = a.lost+b.lost, a.leaked+b.leaked, a.again+b.again
}

// inLanes kills so often in all, on one run after the other in each lane.
func inLanes(lanes, kills int, run func(seed uint64, most int) toll) toll {
	var mu sync.Mutex
	var group sync.WaitGroup
	var all toll
	for lane := range lanes {
		group.Go(func() {
			mine := kills / lanes
			for seed, done := uint64(lane+1), 0; done < mine; seed += uint64(lanes) {
				count := run(seed, mine-done)
				done += count.kills
				mu.Lock()
				all.add(count)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return all
}

// killedAtRandom kills the processes of one run, at most so often, until the
// run is whole, and looks at what is left after one gc.
func killedAtRandom(t *testing.T, j job, most int) toll {
	t.Helper()
	k := newKillable(t, j)
	r := rand.New(rand.NewPCG(j.Seed, 1))
	count := toll{runs: 1}
	soon := func() time.Duration { return 5*time.Millisecond + time.Duration(r.Int64N(int64(60*time.Millisecond))) }
	for ended := false; !ended; {
		after := soon
		if count.kills == most {
			after = nil
		}
		if _, ended = k.process(0, after); !ended {
			count.kills++
		}
		if j.Forgetful && count.kills == most {
			break // enough has leaked
		}
	}
	_, ev := k.judge()
	count.acked, count.lost, count.again = len(k.acked), k.nothingLost(ev), len(k.late)
	entry := fake.Entry(j.cleanUp(k))
	_, err := gc.Sweep(context.Background(), entry, provision.Config{Log: t.Logf, Sink: sink.New(redact.New())}, gc.Options{Now: time.Now})
	if err != nil {
		t.Errorf("gc: %v", err)
	}
	count.leaked = len(k.left())
	if j.Forgetful {
		return count
	}
	if plan, err := j.plan(); err != nil || len(ev.Cells) != len(plan.Cells) {
		t.Errorf("%d cells have evidence, %v", len(ev.Cells), err)
	}
	return count
}

// cleanUp is the cloud as gc meets it: late creates still arrive.
func (j job) cleanUp(k *killable) fake.Options {
	o := k.job.options(nil)
	o.ErrorRate, o.LostRate = 0, 0
	return o
}

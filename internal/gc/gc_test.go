package gc

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/claim"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
)

// world is a cloud, and a directory of runs.
type world struct {
	t       *testing.T
	cloud   fake.Cloud
	options fake.Options
	results string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, cloud: fake.Cloud{Dir: t.TempDir()}, results: t.TempDir()}
	w.options = fake.Options{Dir: w.cloud.Dir}
	return w
}

// past and future are on either side of a lease's end.
func past() time.Time   { return time.Now().Add(-time.Minute).UTC().Truncate(time.Second) }
func future() time.Time { return time.Now().Add(time.Hour).UTC().Truncate(time.Second) }

// lease has one network in the cloud. Its run is recorded elsewhere, if at all.
func (w *world) lease(run string, expires time.Time) provision.Lease {
	w.t.Helper()
	l := provision.Lease{
		Name: "q-" + run, Run: run, Cell: "a", Owner: "host/1", Expires: expires, Home: filepath.Join(w.results, run),
	}
	w.add(l)
	return l
}

func (w *world) add(l provision.Lease) {
	w.t.Helper()
	name := l.Name
	if name == "" {
		name = "foreign"
	}
	if err := w.cloud.Add("network", name, l); err != nil {
		w.t.Fatal(err)
	}
}

// record makes the run's directory, with a journal that holds the lease and
// the events; the run is worked on as long as nobody releases its claim.
func (w *world) record(l provision.Lease, events ...result.Event) *claim.Claim {
	w.t.Helper()
	if err := os.MkdirAll(l.Home, 0o700); err != nil {
		w.t.Fatal(err)
	}
	c, err := claim.Take(l.Home, claim.Options{Owner: "host/" + l.Run})
	if err != nil {
		w.t.Fatal(err)
	}
	j, err := result.Create(filepath.Join(l.Home, "journal.jsonl"), time.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	defer j.Close()
	opened := result.Event{Kind: result.LeaseOpened, Cell: l.Cell, Lease: (*result.Lease)(&l)}
	for _, e := range append([]result.Event{opened}, events...) {
		if _, err := j.Append(e); err != nil {
			w.t.Fatal(err)
		}
	}
	return c
}

func (w *world) ended(l provision.Lease, events ...result.Event) {
	w.t.Helper()
	if err := w.record(l, events...).Release(); err != nil {
		w.t.Fatal(err)
	}
}

// sweep returns why each lease was removed, and why it was not.
func (w *world) sweep(o Options) (removed, stays map[string]string) {
	w.t.Helper()
	o.Now = time.Now
	if o.Results == "" {
		o.Results = w.results
	}
	found, err := Sweep(context.Background(), fake.Entry(w.options), provision.Config{Log: w.t.Logf, Sink: sink.New(redact.New())}, o)
	if err != nil {
		w.t.Fatal(err)
	}
	removed, stays = map[string]string{}, map[string]string{}
	for _, l := range found {
		if l.Removed {
			removed[l.Run] = l.Why
		} else {
			stays[l.Run] = l.Why
		}
	}
	return removed, stays
}

func (w *world) names() []string {
	w.t.Helper()
	all, err := w.cloud.All()
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, r := range all {
		names = append(names, r.Name)
	}
	return names
}

func kept1(l provision.Lease) result.Event {
	return result.Event{Kind: result.LeaseKept, Cell: l.Cell, Text: l.Name}
}

func TestSweep(t *testing.T) {
	w := newWorld(t)
	w.record(w.lease("living", future()))
	w.record(w.lease("renewed", past())) // its label has expired, its run lives
	w.ended(w.lease("dead", future()))
	w.lease("unknown", future())
	w.lease("expired", past())
	kept := w.lease("kept", future())
	w.ended(kept, kept1(kept))
	old := w.lease("kept-long-ago", past())
	w.ended(old, kept1(old))
	another := w.lease("another", future()) // the journal in its place is not of it
	other := another
	other.Name = "q-someone-elses"
	w.ended(other)
	w.lease("endless", time.Time{})
	w.add(provision.Lease{})
	all := w.names()

	if removed, _ := w.sweep(Options{DryRun: true}); len(removed) > 0 || !slices.Equal(w.names(), all) {
		t.Fatalf("a dry run removed %v", removed)
	}
	removed, stays := w.sweep(Options{})
	for run, want := range map[string]string{
		"dead":          "its run's process host/dead is gone",
		"expired":       "its lease expired at ",
		"kept-long-ago": "its lease expired at ",
	} {
		if why := removed[run]; !strings.HasPrefix(why, want) {
			t.Errorf("%s: removed %q, stays %q, want %q", run, why, stays[run], want)
		}
	}
	for run, want := range map[string]string{
		"living":  "in use by host/living",
		"renewed": "in use by host/renewed",
		"unknown": "its run is not known here; its lease expires at ",
		"another": "its run is not known here; its lease expires at ",
		"kept":    "kept by --keep until ",
		"endless": "its lease says no end",
	} {
		if why := stays[run]; !strings.HasPrefix(why, want) {
			t.Errorf("%s: stays %q, removed %q, want %q", run, why, removed[run], want)
		}
	}
	if len(removed)+len(stays) != len(all)-1 || !slices.Contains(w.names(), "foreign") {
		t.Errorf("removed %v, stays %v of %v", removed, stays, all)
	}
	if removed, _ := w.sweep(Options{}); len(removed) > 0 {
		t.Errorf("the second sweep removed %v", removed)
	}
	if removed, stays := w.sweep(Options{Run: "kept"}); len(removed) != 1 || removed["kept"] == "" {
		t.Errorf("--run kept: removed %v, stays %v", removed, stays)
	}
	if _, stays := w.sweep(Options{AllRuns: true}); len(stays) > 0 {
		t.Errorf("all runs, but %v stay", stays)
	}
	if got := w.names(); !slices.Equal(got, []string{"foreign"}) {
		t.Errorf("there are %v", got)
	}
}

// A run is found where its labels say, wherever gc is called, and in the
// directory for results where they do not say it or it was moved.
func TestSweepFindsRuns(t *testing.T) {
	for name, change := range map[string]func(l *provision.Lease){
		"by its labels":       func(*provision.Lease) {},
		"without its labels":  func(l *provision.Lease) { l.Home = "" },
		"by a relative label": func(l *provision.Lease) { l.Home = "results/r" },
		"moved":               func(l *provision.Lease) { l.Home = filepath.Join(t.TempDir(), "r") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			l := provision.Lease{Name: "q-r", Run: "r", Cell: "a", Owner: "host/1", Expires: future(), Home: filepath.Join(w.results, "r")}
			w.ended(l)
			change(&l)
			w.add(l)
			elsewhere := w.results
			if name == "by its labels" {
				elsewhere = t.TempDir()
			}
			if removed, stays := w.sweep(Options{Results: elsewhere}); removed["r"] == "" {
				t.Errorf("stays: %v", stays)
			}
		})
	}
	t.Run("a run's name is no path", func(t *testing.T) {
		w := newWorld(t)
		l := provision.Lease{Name: "q-r", Run: "../r", Cell: "a", Owner: "host/1", Expires: future()}
		w.add(l)
		l.Home = filepath.Join(w.results, "..", "r")
		w.ended(l)
		t.Cleanup(func() { os.RemoveAll(l.Home) })
		if removed, _ := w.sweep(Options{}); len(removed) > 0 {
			t.Errorf("removed: %v", removed)
		}
	})
}

// A kept lease that a resume opened again is kept no more.
func TestSweepAfterAResume(t *testing.T) {
	w := newWorld(t)
	l := w.lease("r", future())
	again := result.Event{Kind: result.LeaseOpened, Cell: l.Cell, Lease: (*result.Lease)(&l)}
	w.ended(l, kept1(l), again)
	if removed, stays := w.sweep(Options{}); removed["r"] == "" {
		t.Errorf("stays: %v", stays)
	}
}

// What cannot be removed, and what cannot be asked, is told.
func TestSweepFails(t *testing.T) {
	w := newWorld(t)
	w.lease("expired", past())
	w.options.Stuck = func(provision.Resource) bool { return true }
	found, err := Sweep(context.Background(), fake.Entry(w.options), provision.Config{Log: t.Logf, Sink: sink.New(redact.New())}, Options{Now: time.Now})
	if err == nil || !strings.Contains(err.Error(), "lease q-expired: ") || len(found) != 1 || found[0].Removed {
		t.Errorf("something is stuck: %+v, %v", found, err)
	}
	w.options.ErrorRate = 1
	if _, err := Sweep(context.Background(), fake.Entry(w.options), provision.Config{Log: t.Logf, Sink: sink.New(redact.New())}, Options{Now: time.Now}); err == nil || !strings.Contains(err.Error(), "asking fake what is left") {
		t.Errorf("nobody answers: %v", err)
	}
}

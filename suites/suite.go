// Package suites lists what can be run in a cluster. One file a suite; a
// suite is a value, and knows neither provisioners, the CLI nor the journal.
package suites

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/inpod"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
)

// Suite is something that can be run in a cluster and yields cases.
type Suite struct {
	Name string
	Doc  string
	// Expect returns the names of every case that the suite must show for a
	// release. It is called before anything is created.
	Expect func(rel *release.Release) ([]string, error)
	// Modes are the ways in which the suite can be run, the first by default; none
	// where there is one way only.
	Modes []Mode
	// Backends are the ways in which the suite's specs can be run, the first by
	// default; none where there is one way only.
	Backends []Backend
	// Plugin says that the suite is a Sonobuoy plugin, whose definition the plan has.
	Plugin bool
	// Run shows the cases of env.Expected and no others, and emits each as it
	// ends, from any goroutine, one at a time. The error means "could not
	// finish", never "a test failed".
	Run func(ctx context.Context, env Env, emit func(result.Case)) error
}

// Mode is one way to run a suite that has several.
type Mode struct {
	Name   string
	Doc    string
	Expect func(rel *release.Release) ([]string, error) // as a suite's
	Budget time.Duration                                // 0 leaves it to the plan
	// Divide spreads expected cases over clusters, each case on one of them; nil
	// where they belong together. It may leave clusters without any.
	Divide func(rel *release.Release, expected []string, clusters int) ([][]string, error)
	// Images says that the cases run images that are no part of a release.
	Images bool
}

// In returns the mode of a name; the empty name is the suite's own way.
func (s Suite) In(name string) (Mode, error) {
	if name == "" && len(s.Modes) == 0 {
		return Mode{Expect: s.Expect}, nil
	}
	var known []string
	for i, m := range s.Modes {
		if m.Name == name || name == "" && i == 0 {
			return m, nil
		}
		known = append(known, m.Name)
	}
	if len(known) == 0 {
		return Mode{}, fmt.Errorf("suite %s has no modes, so not %q either", s.Name, name)
	}
	return Mode{}, fmt.Errorf("suite %s has no mode %q: known are %s", s.Name, name, strings.Join(known, ", "))
}

// Backend is one way to run the specs of a suite that knows several. What they
// show is the same: a backend is chosen for where it can be used, not for what
// it says.
type Backend struct {
	Name string // empty is the suite's own way
	Doc  string
	// run runs specs, each once, and reports each that came to an end.
	run func(ctx context.Context, env Env, job job, report func(result.Case)) error
}

// By returns the backend of a name. The first is the suite's own way, which
// plans do not name.
func (s Suite) By(name string) (Backend, error) {
	var known []string
	for i, b := range s.Backends {
		if b.Name == name || name == "" {
			if i == 0 {
				b.Name = ""
			}
			return b, nil
		}
		known = append(known, b.Name)
	}
	switch {
	case name == "":
		return Backend{}, nil
	case len(known) == 0:
		return Backend{}, fmt.Errorf("suite %s has no backends, so not %q either", s.Name, name)
	}
	return Backend{}, fmt.Errorf("suite %s has no backend %q: known are %s", s.Name, name, strings.Join(known, ", "))
}

// Env is what a suite gets.
type Env struct {
	Cluster *cluster.Cluster
	Release *release.Release
	// Artifact returns the path of a verified asset of the release, by asset
	// name, e.g. "bin/linux/amd64/e2e.test".
	Artifact func(ctx context.Context, asset string) (string, error)
	// Tool returns the path of a program that is shipped beside qualify.
	Tool func(name string) (string, error)
	// Conformance returns the conformance image of the release, which is made
	// where the release has none.
	Conformance func(ctx context.Context) (Image, error)
	// Sonobuoy returns the image of Sonobuoy's aggregator and workers.
	Sonobuoy func(ctx context.Context) (Image, error)
	// Say tells the user how far a suite is that reports at its end; may be nil.
	Say func(text string)
	// Expected are the cases that are still to be shown: all that Expect
	// returned when the plan was made or, in a run that is resumed, the rest.
	Expected []string
	// Mode is the one that the plan has; empty for a suite without modes.
	Mode string
	// Backend is the one that the plan has; empty for the suite's own way.
	Backend string
	// Plugin is the definition of a suite that is one.
	Plugin string
	// Shown are the cases that earlier processes have shown: they need not be
	// shown again, and may be where the others mean nothing without them.
	Shown []string
	// Reruns is how often a case that did not pass is tried again. Broken are
	// those that earlier processes have shown not to pass, with the number of
	// their last attempt; they were tried less often than that.
	Reruns int
	Broken map[string]int
	// Sink opens the suite's files, and learns of its secrets when they are
	// born: both are errors of the suite where they fail.
	Sink  *sink.Sink
	Dir   string // private directory for the suite's files, exists
	Procs int    // processes to run specs with, at least 1

	podTimes inpod.Times // of tests
}

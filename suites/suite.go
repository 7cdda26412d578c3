// Package suites lists what can be run in a cluster. One file a suite; a
// suite is a value, and knows neither provisioners, the CLI nor the journal.
package suites

import (
	"context"

	"github.com/qualify-dev/qualify/internal/cluster"
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
	// Run shows the cases of env.Expected and no others, and emits each as it
	// ends, from any goroutine, one at a time. The error means "could not
	// finish", never "a test failed".
	Run func(ctx context.Context, env Env, emit func(result.Case)) error
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
	// Expected are the cases that are still to be shown: all that Expect
	// returned when the plan was made or, in a run that is resumed, the rest.
	Expected []string
	// Sink opens the suite's files, and learns of its secrets when they are
	// born: both are errors of the suite where they fail.
	Sink  *sink.Sink
	Dir   string // private directory for the suite's files, exists
	Procs int    // processes to run specs with, at least 1
}

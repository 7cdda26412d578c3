package suites

import (
	"context"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/qualify-dev/qualify/internal/ginkgo"
	"github.com/qualify-dev/qualify/internal/result"
)

// job is what a backend is given to run.
type job struct {
	specs
	names   []string       // in the order in which they should start, where the backend has a say in it
	try     int            // counted from 1
	listing ginkgo.Listing // what the binary has
	focus   string         // selects the same specs as the names, where it is not empty
}

// direct starts the candidate's test binary here, and hears of each spec when it
// ends.
func direct() Backend {
	return Backend{
		Name: "direct", Doc: "the release's test binary on this machine, which has to reach the cluster",
		run: func(ctx context.Context, env Env, j job, report func(result.Case)) error {
			run := j.command(env)
			run.Specs, run.Try, run.Listing, run.Focus = j.names, j.try, j.listing, j.focus
			return run.Execute(ctx, func(r types.SpecReport) { report(caseOf(r, env.Sink)) })
		},
	}
}

// backends are those of the conformance suite.
func backends() []Backend { return []Backend{direct(), pod(), bySonobuoy()} }

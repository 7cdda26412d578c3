package ginkgo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onsi/ginkgo/v2/types"
)

// pass is one start of all processes.
type pass struct {
	Run
	number  int      // counted from 1
	specs   []string // those that it has to run
	reports *collector
	seed    string
	deal    *dealer
}

// process is one process of the test binary.
type process struct {
	number int
	log    string // file with what it prints
	status int    // its exit status, once ended; only 0 and 1 are no error
	err    error  // why it could not be run to its end
	ended  atomic.Bool
}

// run runs the pass to its end, and returns how many processes were ended by a
// spec.
func (r *pass) run(ctx context.Context, output io.Writer) (dead int, err error) {
	r.seed = cmp.Or(r.Listing.seed, strconv.FormatInt(time.Now().Unix(), 10))
	r.reports.begin(r.specs)
	r.deal = newDealer(r.Listing, r.specs, r.Alone)
	processes := make([]*process, r.Procs)
	for i := range processes {
		processes[i] = &process{number: i + 1, log: r.file(fmt.Sprintf("process-%d", i+1), r.number, "log")}
	}
	alive := func(n int) bool { return !processes[n-1].ended.Load() }
	s, err := newServer(r.Procs, r.deal, output, alive, r.reports.take)
	if err != nil {
		return 0, fmt.Errorf("serving the test processes: %w", err)
	}
	defer s.close()
	r.runProcesses(ctx, processes, s)
	if ctx.Err() != nil {
		return 0, nil // the caller says so
	}
	for _, p := range processes {
		why := cmp.Or(p.err, s.complete(p))
		victims := r.deal.victims(p.number)
		if why == nil || s.finished(p.number) || len(victims) == 0 {
			err = errors.Join(err, why)
			continue
		}
		dead++
		for _, name := range victims {
			r.reports.take(ended(name, p, why))
		}
	}
	err = errors.Join(err, s.refusals())
	if err == nil && r.Transcript && r.number == 1 {
		err = r.transcribe(s)
	}
	return dead, err
}

// focus selects the specs of the pass.
func (r *pass) focus() string {
	if r.Focus != "" && len(r.specs) == len(r.Specs) {
		return r.Focus
	}
	return Focus(r.Listing.Suite, r.specs)
}

// disordered tells whether the processes ran specs in another order than the
// listing has them in.
func (r *pass) disordered() bool { return len(r.Listing.groups) > 0 && r.deal.counts() }

// runProcesses starts all processes and waits for all of them.
func (r *pass) runProcesses(ctx context.Context, processes []*process, s *server) {
	var wg sync.WaitGroup
	for _, p := range processes {
		wg.Go(func() {
			defer p.ended.Store(true)
			p.err = r.runProcess(ctx, p, s.address(p.number))
		})
	}
	wg.Wait()
}

// ended is the report of a spec that ended its process and could not send one.
func ended(name string, p *process, why error) types.SpecReport {
	return types.SpecReport{
		LeafNodeType: types.NodeTypeIt, LeafNodeText: name, State: types.SpecStateAborted, NumAttempts: 1, ParallelProcess: p.number,
		Failure:           types.Failure{Message: "its process died while it ran: " + why.Error()},
		CapturedStdOutErr: tail(p.log),
	}
}

package suites

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/qualify-dev/qualify/internal/ginkgo"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
)

// grace is the time that interrupted specs have for cleaning up.
const grace = 45 * time.Second

// specs are the specs of a Ginkgo binary that a suite runs.
type specs struct {
	binary string
	args   []string // the binary's own flags
	// all is a regular expression that selects all that the binary has of the
	// suite's kind, and known what there may be of it. Where they are empty, the
	// binary may have any other specs.
	all   string
	known []string
	alone bool // one spec at a time, and the files of a submission
	by    Backend
}

// runSpecs runs exactly the expected specs of a Ginkgo binary.
func runSpecs(ctx context.Context, env Env, binary string, args []string, emit func(result.Case)) error {
	return specs{binary: binary, args: args}.run(ctx, env, emit)
}

// run runs exactly the expected specs and emits one case for each report. Every
// name is first looked up in the binary: a list that names what does not exist
// must not pass for having found nothing, and of two specs of one name nobody
// could say which one passed.
func (s specs) run(ctx context.Context, env Env, emit func(result.Case)) error {
	listing, err := s.command(env).List(ctx, cmp.Or(s.all, ginkgo.Focus("", env.Expected)))
	if err != nil {
		return err
	}
	held := listing.Specs
	if others := without(held, s.known); s.all != "" && len(others) > 0 {
		return fmt.Errorf("the test binary has %q, and %d specs in all, that the release's list of conformance tests lacks", others[0], len(others))
	}
	if missing := without(env.Expected, held); len(missing) > 0 {
		return fmt.Errorf("the test binary has no spec %q (%d of %d names are unknown to it)", missing[0], len(missing), len(env.Expected))
	}
	if name := ambiguous(env.Expected, held); name != "" {
		return fmt.Errorf("the test binary has several specs %q", name)
	}
	j := job{specs: s, names: env.Expected, try: 1, listing: listing}
	if s.alone && len(without(held, env.Expected)) == 0 {
		j.focus = s.all // a submission has to show that nothing else was selected
	}
	return s.repeat(ctx, env, j, emit)
}

// command is the test binary, without what it is to run.
func (s specs) command(env Env) ginkgo.Run {
	return ginkgo.Run{
		Binary: s.binary, Args: s.args, Procs: env.Procs, Alone: s.alone, Transcript: s.alone,
		Dir: env.Dir, Sink: env.Sink, Grace: grace,
	}
}

// repeat has a job done, and what did not pass again.
func (s specs) repeat(ctx context.Context, env Env, j job, emit func(result.Case)) error {
	by := s.by
	if by.run == nil {
		by = direct()
	}
	broken, tried := map[string]int{}, map[string]int{}
	maps.Copy(broken, env.Broken)
	maps.Copy(tried, env.Broken)
	execute := func() error {
		before := maps.Clone(tried)
		j.names = j.listing.Companions(j.names, slices.Concat(env.Expected, env.Shown))
		return by.run(ctx, env, j, func(c result.Case) {
			c.Attempt += before[c.Name]
			tried[c.Name] = c.Attempt
			delete(broken, c.Name)
			if c.Outcome == result.Fail || c.Outcome == result.Error {
				broken[c.Name] = c.Attempt
			}
			emit(c)
		})
	}
	if err := execute(); err != nil || s.alone {
		return err // a submission is one run
	}
	for try := 2; len(broken) <= mostReruns; try++ {
		j.names, j.try = again(broken, env.Reruns), try
		if len(j.names) == 0 {
			break
		}
		if err := execute(); err != nil {
			return fmt.Errorf("trying %d specs again: %w", len(j.names), err)
		}
	}
	return nil
}

// mostReruns is how many cases that did not pass are tried again. Where more
// do not, something is broken, and trying it again only costs time.
const mostReruns = 10

// again lists what was not tried as often as it may be.
func again(broken map[string]int, reruns int) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(broken)) {
		if broken[name] <= reruns {
			names = append(names, name)
		}
	}
	return names
}

// ambiguous returns the first name that stands for more than one of held.
func ambiguous(names, held []string) string {
	count := map[string]int{}
	for _, h := range held {
		count[h]++
	}
	for _, n := range names {
		if count[n] > 1 {
			return n
		}
	}
	return ""
}

// without returns what of names is not in held.
func without(names, held []string) []string {
	set := map[string]bool{}
	for _, h := range held {
		set[h] = true
	}
	var missing []string
	for _, n := range names {
		if !set[n] {
			missing = append(missing, n)
		}
	}
	return missing
}

// caseOf turns a spec's report into a case. Interrupted and aborted specs are
// errors, since they say nothing of the product; so is any state that is not
// known here.
func caseOf(report types.SpecReport, s *sink.Sink) result.Case {
	c := result.Case{Name: report.FullText(), Attempt: max(report.NumAttempts, 1), Seconds: report.RunTime.Seconds()}
	switch report.State {
	case types.SpecStatePassed:
		c.Outcome = result.Pass
		return c
	case types.SpecStateFailed, types.SpecStatePanicked, types.SpecStateTimedout:
		c.Outcome = result.Fail
	case types.SpecStateSkipped, types.SpecStatePending:
		c.Outcome = result.Skip
	default:
		c.Outcome = result.Error
	}
	c.Message = strings.TrimSpace(report.Failure.Message)
	if c.Message == "" {
		c.Message = cmp.Or(report.State.String(), fmt.Sprintf("ended in the unknown state %d", report.State))
	}
	if report.Failure.ForwardedPanic != "" {
		c.Message += ": " + report.Failure.ForwardedPanic
	}
	// Redacted before it is cut: a half of a secret is not known for one.
	log := s.Text(report.CapturedGinkgoWriterOutput + report.CapturedStdOutErr)
	c.Log = excerpt(log)
	c.Log = eventsBefore(log, c.Log) + c.Log
	return c
}

// eventsBefore are the events of the spec's namespaces, as the framework
// prints them, that an excerpt has no room for.
func eventsBefore(log, kept string) string {
	const most = 8 << 10
	var events strings.Builder
	for line := range strings.Lines(log) {
		if strings.Contains(line, " - event for ") && !strings.Contains(kept, strings.TrimSpace(line)) && events.Len()+len(line) <= most {
			events.WriteString(line)
		}
	}
	if events.Len() == 0 {
		return ""
	}
	return "events of its namespaces:\n" + events.String()
}

// excerpt keeps the end of a log: that is where a spec fails. The whole log is
// in the suite's record.
func excerpt(log string) string {
	const most = 16 << 10
	if len(log) <= most {
		return log
	}
	cut := log[len(log)-most:]
	if _, rest, _ := strings.Cut(cut, "\n"); rest != "" {
		cut = rest
	}
	cut = strings.TrimLeftFunc(cut, func(r rune) bool { return r == utf8.RuneError })
	return "… (the whole log is in the run's directory)\n" + cut
}

// names reads a list of specs: one a line, # starts a comment line.
func names(text string) ([]string, error) {
	var list []string
	seen := map[string]bool{}
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if seen[line] {
			return nil, fmt.Errorf("the list names %q twice", line)
		}
		seen[line] = true
		list = append(list, line)
	}
	if len(list) == 0 {
		return nil, errors.New("the list is empty")
	}
	return list, nil
}

package selftest

import "github.com/qualify-dev/qualify/internal/result"

// known are false greens that projects of this field have had, most of them in
// releases and for years. Each is what their runs would look like here.
func known() []Mutation {
	return []Mutation{
		{
			ID: "known-failed-but-complete", Project: "sonobuoy", Wants: []string{result.ReasonCaseFailed},
			Imitates: "every step of the run completed, and that was the status, though a third of the tests had failed",
			change:   events(func(d *draft) bool { return d.edit(d.target().share(1, 3), outcome(result.Fail)) }),
		},
		{
			ID: "known-pod-finished", Project: "capi-helm-charts", Wants: []string{result.ReasonCaseErrored},
			Imitates: "the test pod was deployed and finished, and nobody asked what its tests had found",
			change:   events(func(d *draft) bool { return d.edit(d.target().cases(), outcome(result.Error)) }),
		},
		{
			ID: "known-runner-failed", Project: "kubevirtci", Wants: []string{result.ReasonSuiteIncomplete},
			Imitates: "the test runner ended with an error, and the lane was reported as passed",
			change: events(func(d *draft) bool {
				return d.edit(and(d.target().in(), kind(result.SuiteEnded)), say("the test runner ended with exit status 1"))
			}),
		},
		{
			ID: "known-return-code-0", Project: "kubermatic", Wants: []string{result.ReasonCaseFailed},
			Imitates: "the tester met failed conformance tests and returned 0",
			change:   events(func(d *draft) bool { return d.edit(kind(result.CaseEnded), outcome(result.Fail)) }),
		},
		{
			ID: "known-interrupted-is-success", Project: "kubetest2", Wants: []string{result.ReasonInterrupted},
			Imitates: "the job timed out, a signal ended it in the middle of a suite, and it exited with 0",
			change:   events(func(d *draft) bool { return d.cutShort(result.RunInterrupted("SIGTERM")) }),
		},
		{
			ID: "known-stream-ended", Project: "hydrophone", Wants: []string{result.ReasonCaseNotRun},
			Imitates: "the stream of the log broke off, and that was taken for the end of the suite",
			change:   events(func(d *draft) bool { return d.drop(d.target().share(1, 2)) }),
		},
		{
			ID: "known-only-skips", Project: "ai-cloud-validation", Wants: []string{result.ReasonCaseSkipped},
			Imitates: "a focus that selects nothing left a result file of skipped cases only, and it passed",
			change:   events(func(d *draft) bool { return d.edit(kind(result.CaseEnded), outcome(result.Skip)) }),
		},
		{
			ID: "known-unsupported-os", Project: "kubernetes", Wants: []string{result.ReasonCaseSkipped},
			Imitates: "all tests of one suite skipped themselves because they did not know the operating system",
			change:   events(func(d *draft) bool { return d.edit(d.target().cases(), outcome(result.Skip)) }),
		},
	}
}

// knownToo are those in which results were missing, or were not asked for.
func knownToo() []Mutation {
	return []Mutation{
		{
			ID: "known-182-of-204", Project: "k8s-conformance", Wants: []string{result.ReasonCaseNotRun},
			Imitates: "182 of 204 conformance tests were accepted as all of them",
			change:   events(func(d *draft) bool { return d.drop(d.target().share(22, 204)) }),
		},
		{
			ID: "known-212-of-215", Project: "k8s-conformance", Wants: []string{result.ReasonCaseNotRun},
			Imitates: "212 of 215 conformance tests were accepted as all of them",
			change:   events(func(d *draft) bool { return d.drop(d.target().share(3, 215)) }),
		},
		{
			ID: "known-exit-code-alone", Project: "charmed-kubernetes", Wants: []string{result.ReasonCaseNotRun},
			Imitates: "the exit code of the test tool was the verdict, and there were no results at all",
			change:   events(func(d *draft) bool { return d.drop(kind(result.CaseEnded)) }),
		},
		{
			ID: "known-misspelt-check", Project: "test-infra", Wants: []string{result.ReasonProductFault},
			Imitates: "nodes were not ready after the upgrade, and the check looked for a word that is never printed",
			change:   events(func(d *draft) bool { return d.fault(result.ProductFault, "a node is not ready after 10m") }),
		},
		{
			ID: "known-nodes-never-ready", Project: "kubetest2-ec2", Wants: []string{result.ReasonInfrastructure},
			Imitates: "nodes never became ready; that was logged, and the tests began all the same",
			change:   events(func(d *draft) bool { return d.fault(result.InfraFault, "2 of 3 nodes became ready in 10m") }),
		},
		{
			ID: "known-timeout-as-focus", Project: "eks-distro", Wants: []string{result.ReasonCaseNotRun},
			Imitates: "a suite timed out, its rerun took the message for the names of tests, selected none and passed",
			change:   events(timeoutAsFocus),
		},
		{
			ID: "known-rerun-until-green", Project: "eks-distro", Wants: []string{result.ReasonCaseFlaky},
			Imitates: "failed tests ran again, up to three times, until they passed",
			change: events(func(d *draft) bool {
				return d.attempts(result.Fail, result.Fail, result.Pass)
			}),
		},
		{
			ID: "known-stale-result", Project: "kubermatic", Wants: []string{Unreadable, result.ReasonRunMismatch},
			Imitates: "results were kept by operating system and version, and a run was given those of an earlier one",
			change:   events(func(d *draft) bool { return d.otherRun("20000101-000000-0000aaaa") }),
		},
	}
}

// cutShort ends the run in the middle of the target, in good order.
func (d *draft) cutShort(words string) bool {
	t := d.target()
	i := d.first(t.victim())
	if i < 0 {
		return false
	}
	kept := d.events[:i:i]
	for _, e := range d.events[i:] {
		if e.Kind == result.LeaseClosed || e.Kind == result.LeaseKept || e.Kind == result.RunEnded {
			kept = append(kept, e)
		}
	}
	d.events = kept
	return d.edit(kind(result.RunEnded), say(words))
}

// fault records one while the target's cluster comes up.
func (d *draft) fault(k result.Kind, text string) bool {
	return d.before(and(d.target().inCell(), stage(result.StageBefore)), result.Event{Kind: k, Cell: d.target().cell, Text: text})
}

func timeoutAsFocus(d *draft) bool {
	t := d.target()
	ended := and(t.in(), kind(result.SuiteEnded))
	if !d.drop(t.cases()) || !d.edit(ended, say("the suite took longer than its budget")) {
		return false
	}
	return d.after(ended, t.at(result.Event{Kind: result.SuiteStarted}), t.at(result.Event{Kind: result.SuiteEnded}))
}

// otherRun makes the journal that of another run of the same plan.
func (d *draft) otherRun(id string) bool {
	d.edit(func(e result.Event) bool { return e.Lease != nil && e.Lease.Run != "" }, func(e *result.Event) { e.Lease.Run = id })
	return d.edit(kind(result.RunStarted), say(id))
}

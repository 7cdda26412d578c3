package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/result"
)

var (
	sampleStart   = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	sampleRelease = result.ReleaseRef{
		Name: "kubernetes-1-34-source-4", Kubernetes: "v1.34.4",
		Digest: "sha256:9f2c51b8d1b7f0f3a4c7b2e6a9d84c1f35e7b06c2d8e4f9a1b3c5d7e9f0a2b4c",
	}
	sampleHash = "sha256:1b7e0d4f6a2c8e9b3d5f7a1c4e6b8d0f2a4c6e8b0d2f4a6c8e0b2d4f6a8c0e2b"
)

// tape records a journal with a clock that only moves when told.
type tape struct {
	now    time.Time
	cell   string
	events []result.Event
}

func (t *tape) add(e result.Event) {
	e.Seq, e.Time = len(t.events)+1, t.now
	if e.Cell == "" {
		e.Cell = t.cell
	}
	t.events = append(t.events, e)
}

func (t *tape) phase(name string, seconds float64, during func()) {
	t.add(result.Event{Kind: result.PhaseStarted, Phase: name})
	begun := t.now
	if during != nil {
		during()
	}
	t.now = begun.Add(time.Duration(seconds * float64(time.Second)))
	t.add(result.Event{Kind: result.PhaseEnded, Phase: name, Seconds: seconds})
}

func (t *tape) identity(stage string, mismatched ...string) {
	checked := []string{
		"worker-1 /usr/bin/kubelet sha256:3a0c77e1", "control-plane-1 /usr/bin/kubelet sha256:3a0c77e1",
		"control-plane-1 /usr/bin/kubeadm sha256:77ab01c9", "kube-apiserver image sha256:5b6d70aa",
		"kube-controller-manager image sha256:91cc02de", "kube-scheduler image sha256:0e44aa17",
		"etcd image sha256:aa2d9e08", "coredns image sha256:4f1e33b2", "kube-proxy image sha256:c0de11f4",
	}
	t.add(result.Event{Kind: result.IdentityMatch, Stage: stage, Checked: checked, Mismatched: mismatched})
}

func (t *tape) pass(suite string, names ...string) {
	for i, name := range names {
		t.run(suite, result.Case{Name: name, Outcome: result.Pass, Attempt: 1, Seconds: 1.25 + float64(i%7)})
	}
}

func (t *tape) run(suite string, c result.Case) {
	t.add(result.Event{Kind: result.CaseEnded, Suite: suite, Case: &c})
}

// suite records a whole suite; fill records the cases.
func (t *tape) suite(name, endText string, fill func()) {
	t.add(result.Event{Kind: result.SuiteStarted, Suite: name})
	fill()
	t.add(result.Event{Kind: result.SuiteEnded, Suite: name, Text: endText})
}

func smokeNames() []string {
	return []string{
		"deployment rolls out", "service answers by name", "pods reach each other across nodes", "exec and logs work",
		"configmap update reaches a pod", "statefulset without volumes keeps its identity", "job completes",
	}
}

func conformanceNames(n int) []string {
	sigs := []string{"sig-api-machinery", "sig-apps", "sig-auth", "sig-network", "sig-node", "sig-storage"}
	things := []string{
		"Garbage collector should delete pods created by rc when not orphaning",
		"Deployment should run the lifecycle of a Deployment",
		"ServiceAccounts should mount an API token into pods",
		"Services should be able to switch session affinity for service with type clusterIP",
		"Probing container should be restarted with a /healthz http liveness probe",
		"Projected configMap should be consumable from pods in volume with mappings as non-root",
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("[%s] %s, variant %d [Conformance]", sigs[i%len(sigs)], things[i%len(things)], i/len(sigs)+1)
	}
	return names
}

func planCell(os string, suites ...result.PlanSuite) result.PlanCell {
	return result.PlanCell{
		ID: os + "-v1-34-4-kind", Values: map[string]string{"os": os, "k8s": "v1.34.4", "provisioner": "kind"},
		Release: sampleRelease, Suites: suites,
	}
}

func sampleInput(p result.Plan, t *tape) Input {
	return Input{
		Plan: p, Events: t.events,
		Document: result.Document{APIVersion: "qualify/v1", Kind: "Verdict", Release: sampleRelease, Plan: result.PlanRef{Hash: p.Hash}, Policy: result.PolicyRef{Name: "default", Hash: result.DefaultPolicy().Hash()}},
		Run: RunInfo{
			ID: "20261120-080000-debian-12-1-34", Started: sampleStart, Ended: t.now, Tool: "qualify v0.1.0",
			Host:    []Pair{{"kernel", "6.1.0-28-amd64"}, {"engine", "docker 20.10.24"}, {"cgroup", "v2"}, {"cpus", "2"}, {"memory", "7.8 GiB"}},
			Command: "qualify --os debian-12 --k8s 1.34",
		},
	}
}

// judgeCounts fills in a document cell by cell, as the judge counts: the
// report has its own count, which these tests hold against this one.
func judgeCounts(in *Input, verdicts ...result.Verdict) {
	for i, pc := range in.Plan.Cells {
		cv := result.CellVerdict{ID: pc.ID, Values: pc.Values, Verdict: verdicts[i], Reasons: []result.Reason{}, Identity: result.Identity{Mismatched: []string{}}, Phases: []result.Phase{}}
		for _, ps := range pc.Suites {
			last, failedOnce := map[string]result.Outcome{}, map[string]bool{}
			for _, e := range in.Events {
				if e.Cell == pc.ID && e.Kind == result.CaseEnded && e.Suite == ps.Name {
					last[e.Case.Name] = e.Case.Outcome
					failedOnce[e.Case.Name] = failedOnce[e.Case.Name] || e.Case.Outcome != result.Pass
				}
			}
			n := result.SuiteCount{Name: ps.Name, Expected: len(ps.Expected)}
			for _, name := range ps.Expected {
				switch last[name] {
				case result.Pass:
					n.Passed++
					if failedOnce[name] {
						n.Flaky++
					}
				case result.Fail:
					n.Failed++
				case result.Error:
					n.Errored++
				case result.Skip:
					n.Skipped++
				default:
					n.NotRun++
				}
			}
			cv.Suites = append(cv.Suites, n)
		}
		for _, e := range in.Events {
			if e.Cell == pc.ID && e.Kind == result.IdentityMatch {
				cv.Identity.Checked = len(e.Checked)
				cv.Identity.Mismatched = append(cv.Identity.Mismatched, e.Mismatched...)
			}
			if e.Cell == pc.ID && e.Kind == result.PhaseEnded {
				cv.Phases = append(cv.Phases, result.Phase{Name: e.Phase, Seconds: e.Seconds})
			}
		}
		in.Document.Cells = append(in.Document.Cells, cv)
	}
}

// because gives the document its verdict and reasons, and each cell its own.
func because(in *Input, v result.Verdict, reasons ...result.Reason) {
	in.Document.Verdict, in.Document.ExitCode, in.Document.Reasons = v, v.ExitCode(), append([]result.Reason{}, reasons...)
	for i := range in.Document.Cells {
		for _, r := range reasons {
			if c := &in.Document.Cells[i]; r.Cell == c.ID {
				c.Reasons = append(c.Reasons, r)
			}
		}
	}
}

// cellRun records one cell that came up, ran its suites and went away.
func (t *tape) cellRun(pc result.PlanCell, suites func()) {
	t.cell = pc.ID
	lease := &result.Lease{Name: "q-" + pc.ID, Run: "r", Cell: pc.ID}
	t.add(result.Event{Kind: result.LeaseOpened, Lease: lease})
	t.phase("node image", 94.2, nil)
	t.phase("up", 61.7, nil)
	t.phase("identify", 4.1, func() { t.identity("before") })
	t.phase("suites", 412.9, suites)
	t.phase("identify again", 3.8, func() { t.identity("after") })
	t.phase("down", 5.5, nil)
	t.add(result.Event{Kind: result.LeaseClosed, Lease: lease})
	t.cell = ""
}

func newTape() *tape {
	t := &tape{now: sampleStart}
	t.add(result.Event{Kind: result.RunStarted, Text: "20261120-080000-debian-12-1-34"})
	t.now = t.now.Add(2 * time.Second)
	return t
}

// goodRun is a run in which everything held; one case needed two attempts.
func goodRun() Input {
	conf := conformanceNames(42)
	pc := planCell("debian-12", result.PlanSuite{Name: "smoke", Expected: smokeNames()}, result.PlanSuite{Name: "conformance", Expected: conf})
	t := newTape()
	t.cellRun(pc, func() {
		t.suite("smoke", "", func() { t.pass("smoke", smokeNames()...) })
		t.suite("conformance", "", func() {
			t.run("conformance", result.Case{Name: conf[0], Outcome: result.Fail, Attempt: 1, Seconds: 31, Message: "timed out waiting for 2 pods to be gone", Log: "I1120 08:03:11 gc_test.go:221] 2 pods remain"})
			t.pass("conformance", conf[1:]...)
			t.run("conformance", result.Case{Name: conf[0], Outcome: result.Pass, Attempt: 2, Seconds: 12})
		})
	})
	t.add(result.Event{Kind: result.Note, Text: "the host has cgroup v1: the kubelet ran with failCgroupV1=false"})
	t.add(result.Event{Kind: result.RunEnded, Text: "complete"})
	in := sampleInput(result.Plan{Hash: sampleHash, Release: sampleRelease, Cells: []result.PlanCell{pc}}, t)
	judgeCounts(&in, result.Qualified)
	because(&in, result.Qualified)
	in.Document.Notes = []result.Reason{
		{Code: result.NoteWarning, Text: "the host has cgroup v1: the kubelet ran with failCgroupV1=false"},
		{Code: result.ReasonCaseFlaky, Cell: pc.ID, Suite: "conformance", Text: strconv.Quote(conf[0]) + " passed only after an attempt that ended as fail: timed out waiting for 2 pods to be gone (1 flaky cases in this suite, 1 tolerated)"},
	}
	return in
}

func longLog(lines int) string {
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "I1120 08:%02d:%02d.%06d   12345 framework.go:%d] pod \"webserver-%d\" in namespace \"e2e-%04d\": phase Pending, conditions [PodScheduled=True Ready=False: ContainersNotReady]\n", i/60%60, i%60, i*137%1000000, 100+i%900, i%5, i%37)
	}
	return b.String()
}

// failingRun has three cells: one that failed cases, one whose kubelet never
// came up, and one that held.
func failingRun() Input {
	conf := conformanceNames(30)
	suites := []result.PlanSuite{{Name: "smoke", Expected: smokeNames()}, {Name: "conformance", Expected: conf}}
	bad, broken, good := planCell("debian-12", suites...), planCell("ubuntu-24-04", suites...), planCell("rocky-9", suites...)
	t := newTape()
	t.cellRun(good, func() {
		t.suite("smoke", "", func() { t.pass("smoke", smokeNames()...) })
		t.suite("conformance", "", func() { t.pass("conformance", conf...) })
	})
	t.cellRun(bad, func() { badSuites(t, conf) })
	t.cell = broken.ID
	lease := &result.Lease{Name: "q-" + broken.ID}
	t.add(result.Event{Kind: result.LeaseOpened, Lease: lease})
	t.phase("node image", 88, nil)
	t.phase("up", 240, func() {
		t.add(result.Event{
			Kind: result.ProductFault, Phase: "up", Text: "the kubelet on control-plane-1 exits with code 1 and never becomes healthy (12 restarts in 4 minutes)",
			Log: "systemd[1]: kubelet.service: Main process exited, code=exited, status=1/FAILURE\nkubelet[4312]: E1120 08:14:02 run.go:74] \"command failed\" err=\"failed to load kubelet config file: unknown field cgroupDriverX\"\nsystemd[1]: kubelet.service: Scheduled restart job, restart counter is at 12.\n",
		})
	})
	t.phase("collect", 9.4, nil)
	t.phase("down", 3.3, nil)
	t.add(result.Event{Kind: result.LeaseClosed, Lease: lease})
	t.cell = ""
	t.add(result.Event{Kind: result.RunEnded, Text: "complete"})
	in := sampleInput(result.Plan{Hash: sampleHash, Release: sampleRelease, Cells: []result.PlanCell{good, bad, broken}}, t)
	judgeCounts(&in, result.Qualified, result.NotQualified, result.NotQualified)
	because(&in, result.NotQualified,
		result.Reason{Code: result.ReasonCaseFailed, Cell: bad.ID, Suite: "conformance", Text: strconv.Quote(conf[3]) + " failed: timed out after 300.000s waiting for session affinity.\nExpected\n    <int>: 2\nto equal\n    <int>: 1\nIn [It] at: test/e2e/network/service.go:3927"},
		result.Reason{Code: result.ReasonCaseFailed, Cell: bad.ID, Suite: "conformance", Text: strconv.Quote(conf[9]) + " failed: ReplicaSet was not adopted"},
		result.Reason{Code: result.ReasonSuiteIncomplete, Cell: bad.ID, Suite: "conformance", Text: "the suite did not run to its end: the test binary ended with signal: killed after 28 of 30 specs"},
		result.Reason{Code: result.ReasonCaseErrored, Cell: bad.ID, Suite: "conformance", Text: strconv.Quote(conf[7]) + " could not tell: the API server could not be reached: dial tcp 172.18.0.3:6443: connect: no route to host"},
		result.Reason{Code: result.ReasonCaseSkipped, Cell: bad.ID, Suite: "conformance", Text: strconv.Quote(conf[8]) + " was skipped: needs at least 3 nodes, there are 2"},
		result.Reason{Code: result.ReasonCaseNotRun, Cell: bad.ID, Suite: "conformance", Text: strconv.Quote(conf[28]) + " did not run"},
		result.Reason{Code: result.ReasonCaseNotRun, Cell: bad.ID, Suite: "conformance", Text: strconv.Quote(conf[29]) + " did not run"},
		result.Reason{Code: result.ReasonProductFault, Cell: broken.ID, Text: "the kubelet on control-plane-1 exits with code 1 and never becomes healthy (12 restarts in 4 minutes)"},
		result.Reason{Code: result.ReasonIdentityMissing, Cell: broken.ID, Text: "nothing shows that this release ran before the suites"},
		result.Reason{Code: result.ReasonSuiteMissing, Cell: broken.ID, Suite: "smoke", Text: "the suite was never started"},
		result.Reason{Code: result.ReasonSuiteMissing, Cell: broken.ID, Suite: "conformance", Text: "the suite was never started"},
	)
	return in
}

func badSuites(t *tape, conf []string) {
	t.suite("smoke", "", func() { t.pass("smoke", smokeNames()...) })
	t.suite("conformance", "the test binary ended with signal: killed after 28 of 30 specs", func() {
		t.pass("conformance", conf[:3]...)
		t.run("conformance", result.Case{
			Name: conf[3], Outcome: result.Fail, Attempt: 1, Seconds: 302.4, Log: longLog(400),
			Message: "timed out after 300.000s waiting for session affinity.\nExpected\n    <int>: 2\nto equal\n    <int>: 1\nIn [It] at: test/e2e/network/service.go:3927",
		})
		t.pass("conformance", conf[4:7]...)
		t.run("conformance", result.Case{Name: conf[7], Outcome: result.Error, Attempt: 1, Seconds: 2, Message: "the API server could not be reached: dial tcp 172.18.0.3:6443: connect: no route to host"})
		t.run("conformance", result.Case{Name: conf[8], Outcome: result.Skip, Attempt: 1, Message: "needs at least 3 nodes, there are 2"})
		t.run("conformance", result.Case{Name: conf[9], Outcome: result.Error, Attempt: 1, Seconds: 8, Message: "watch closed"})
		t.run("conformance", result.Case{Name: conf[9], Outcome: result.Fail, Attempt: 2, Seconds: 44, Message: "ReplicaSet was not adopted", Log: longLog(6)})
		t.pass("conformance", conf[10:28]...)
		t.pass("conformance", "[sig-node] a case that nobody planned")
	})
}

// lostRun is a run whose infrastructure went away under it.
func lostRun() Input {
	pc := planCell("debian-12", result.PlanSuite{Name: "smoke", Expected: smokeNames()})
	t := newTape()
	t.cell = pc.ID
	t.add(result.Event{Kind: result.LeaseOpened, Lease: &result.Lease{Name: "q-first"}})
	t.phase("up", 31, func() {
		t.add(result.Event{Kind: result.InfraFault, Text: "the container engine does not answer: connection refused", Log: "dial unix /var/run/docker.sock: connect: connection refused"})
	})
	t.add(result.Event{Kind: result.LeaseClosed, Lease: &result.Lease{Name: "q-first"}})
	t.add(result.Event{Kind: result.LeaseOpened, Lease: &result.Lease{Name: "q-second"}})
	t.phase("up", 58, nil)
	t.phase("identify", 4, func() {
		t.identity("before", "worker-1 /usr/bin/kubelet: runs sha256:deadbeef, the release holds sha256:3a0c77e1")
	})
	t.add(result.Event{Kind: result.PhaseStarted, Phase: "suites"})
	t.add(result.Event{Kind: result.SuiteStarted, Suite: "smoke"})
	t.pass("smoke", smokeNames()[:3]...)
	t.now = t.now.Add(70 * time.Second)
	t.add(result.Event{Kind: result.InfraFault, Text: "the container engine does not answer any more", Log: "EOF"})
	t.add(result.Event{Kind: result.Leftover, Text: "container q-second-worker-1"})
	t.cell = ""
	t.add(result.Event{Kind: result.RunEnded, Text: "interrupted: SIGINT"})
	in := sampleInput(result.Plan{Hash: sampleHash, Release: sampleRelease, Cells: []result.PlanCell{pc}}, t)
	judgeCounts(&in, result.Inconclusive)
	because(&in, result.Inconclusive,
		result.Reason{Code: result.ReasonInfrastructure, Cell: pc.ID, Text: "infrastructure: the container engine does not answer any more"},
		result.Reason{Code: result.ReasonIdentityMismatch, Cell: pc.ID, Text: "1 part that ran is not the release's: worker-1 /usr/bin/kubelet"},
		result.Reason{Code: result.ReasonCaseNotRun, Cell: pc.ID, Suite: "smoke", Text: "4 expected cases did not run"},
		result.Reason{Code: result.ReasonInterrupted, Text: "the run was interrupted: SIGINT"},
	)
	in.Document.ExitCode = 130
	return in
}

// bigRun has cells x cases results; every 23rd case of the first cell fails.
func bigRun(cells, cases int) Input {
	conf := conformanceNames(cases)
	p := result.Plan{Hash: sampleHash, Release: sampleRelease}
	t := newTape()
	var verdicts []result.Verdict
	for i := range cells {
		pc := planCell(fmt.Sprintf("os-%d", i+1), result.PlanSuite{Name: "conformance", Expected: conf})
		p.Cells = append(p.Cells, pc)
		t.cellRun(pc, func() {
			t.suite("conformance", "", func() {
				for n, name := range conf {
					c := result.Case{Name: name, Outcome: result.Pass, Attempt: 1, Seconds: float64(n%50) + 0.5}
					if i == 0 && n%23 == 4 {
						c.Outcome, c.Message, c.Log = result.Fail, "expected 3 endpoints, got 2", longLog(120)
					}
					t.run("conformance", c)
				}
			})
		})
		verdicts = append(verdicts, result.Qualified)
	}
	verdicts[0] = result.NotQualified
	t.add(result.Event{Kind: result.RunEnded, Text: "complete"})
	in := sampleInput(p, t)
	judgeCounts(&in, verdicts...)
	var reasons []result.Reason
	for n := 4; n < cases; n += 23 {
		reasons = append(reasons, result.Reason{Code: result.ReasonCaseFailed, Cell: p.Cells[0].ID, Suite: "conformance", Text: strconv.Quote(conf[n]) + " failed: expected 3 endpoints, got 2"})
	}
	because(&in, result.NotQualified, reasons...)
	return in
}

// hostile is text that tries to be more than text.
const hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{.}}]]></failure>\x1b[31m\x00\u202e\n::error::owned\n##vso[task.complete result=Succeeded;]\n| a | b |\n```\n\xff\ufffe"

// hostileRun has hostile text in every field that comes from outside.
func hostileRun() Input {
	h := hostile
	pc := result.PlanCell{
		ID: "cell " + h, Values: map[string]string{"os": h, h: "v"}, Release: result.ReleaseRef{Name: h, Kubernetes: h, Digest: h},
		Suites: []result.PlanSuite{{Name: "suite " + h, Expected: []string{"case " + h, "lost " + h}}},
	}
	t := newTape()
	t.cellRun(pc, func() {
		t.suite("suite "+h, h, func() {
			t.run("suite "+h, result.Case{Name: "case " + h, Outcome: result.Error, Attempt: 1, Message: h, Log: h})
			t.run("suite "+h, result.Case{Name: "case " + h, Outcome: result.Fail, Attempt: 2, Message: h, Log: h})
			t.run("suite "+h, result.Case{Name: "other " + h, Outcome: result.Pass, Attempt: 1, Message: h, Log: h})
		})
	})
	for _, k := range []result.Kind{result.ProductFault, result.InfraFault, result.Note, result.Leftover, result.IdentityMatch, result.Kind(h)} {
		t.add(result.Event{Kind: k, Cell: pc.ID, Text: h, Log: h, Stage: h, Checked: []string{h}, Mismatched: []string{h}})
		t.add(result.Event{Kind: k, Text: h, Log: h})
	}
	t.add(result.Event{Kind: result.RunEnded, Text: h})
	in := sampleInput(result.Plan{Hash: h, Release: pc.Release, Cells: []result.PlanCell{pc}}, t)
	in.Document.Release, in.Run = pc.Release, RunInfo{ID: h, Tool: h, Host: []Pair{{h, h}}, Command: h}
	judgeCounts(&in, result.NotQualified)
	because(&in, result.NotQualified, result.Reason{Code: h, Cell: pc.ID, Suite: h, Text: h})
	return in
}

// contestedRun says Qualified over evidence that does not.
func contestedRun() Input {
	in := goodRun()
	failOne(&in)
	return in
}

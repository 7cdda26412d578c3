package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/suites"
)

func TestRun(t *testing.T) {
	w := newWorld(t)
	said := w.qualify(context.Background(), "--os", "debian")
	if said.code != 0 {
		t.Fatalf("exit code %d:\n%s\n%s", said.code, said.stdout, said.stderr)
	}
	doc := w.verdict(t)
	w.empty(t)
	if doc.Verdict != result.Qualified || doc.ExitCode != 0 || len(doc.Reasons) > 0 {
		t.Errorf("verdict %s, exit code %d, reasons %v", doc.Verdict, doc.ExitCode, doc.Reasons)
	}
	if doc.Release != (result.ReleaseRef{Name: w.rel.Name, Kubernetes: "v1.34.4", Digest: w.rel.Digest()}) {
		t.Errorf("release %+v", doc.Release)
	}
	cell := doc.Cells[0]
	if len(doc.Cells) != 1 || cell.Values["os"] != "debian-12" || cell.Identity.Checked == 0 || len(cell.Identity.Mismatched) > 0 {
		t.Errorf("cell %+v", cell)
	}
	if s := cell.Suites[0]; s.Name != "tiny" || s.Expected != 3 || s.Passed != 3 {
		t.Errorf("suite %+v", s)
	}
	for _, file := range []string{"plan.json", "journal.jsonl", "run.json", "report.html", "summary.md", "junit/*.xml", "cells/*/kubeconfig"} {
		if found, err := filepath.Glob(w.file("results/latest/" + file)); err != nil || len(found) != 1 {
			t.Errorf("%s: %v, %v", file, found, err)
		}
	}
	if !strings.HasPrefix(said.stdout, "Qualified  fake-v1.34.4  (exit code 0)\n") {
		t.Errorf("it answers %s", said.stdout)
	}
	if strings.Contains(said.stdout+said.stderr, "\x1b") {
		t.Error("there are escape sequences in what no terminal reads")
	}
	// The answer can be had again, byte for byte.
	again := w.call(context.Background(), "judge", "--results", w.file("results"), "latest")
	if recorded, err := os.ReadFile(w.file("results/latest/verdict.json")); err != nil || again.code != 0 || again.stdout != string(recorded) {
		t.Errorf("judged again: exit code %d, %v:\n%s", again.code, err, again.stdout)
	}
}

func TestRunAnswers(t *testing.T) {
	kubelet := &provision.ProductError{Component: "kubelet", Doing: "starting on node a", Log: "one\ntwo\nexit status 1\n", Err: os.ErrInvalid}
	tests := []struct {
		name    string
		change  func(*world)
		verdict result.Verdict
		code    int
		reason  string
		says    []string
		left    bool
	}{
		{"a case fails", func(w *world) { w.suites = []suites.Suite{tiny(behaviours()["fail"])} },
			result.NotQualified, 1, result.ReasonCaseFailed, []string{`case-failed: "dns" failed: no answer`}, false},
		{"the release does not boot", func(w *world) {
			w.options.Product = func(provision.Lease, provision.Spec) *provision.ProductError { return kubelet }
		}, result.NotQualified, 1, result.ReasonProductFault, []string{"product-fault: starting on node a: kubelet: invalid argument\n      one\n      two\n      exit status 1\n"}, false},
		{"the cloud refuses", func(w *world) { w.options.LostRate = 1 },
			result.Inconclusive, 3, result.ReasonInfrastructure, []string{"infrastructure: fake cloud"}, false},
		{"another release runs", func(w *world) { w.options.Answers = []fake.Answer{fake.Identity(fake.Release("v1.34.3"))} },
			result.Inconclusive, 3, result.ReasonIdentityMismatch, []string{"identity-mismatch: "}, false},
		{"an image is swapped while suites run", func(w *world) {
			swapped := false
			w.options.Answers = []fake.Answer{func(ctx context.Context, call fake.Call) (cluster.Output, bool, error) {
				if swapped {
					return fake.Identity(fake.Release("v1.34.3"))(ctx, call)
				}
				return fake.Identity(w.rel)(ctx, call)
			}}
			w.suites = []suites.Suite{tiny(func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
				swapped = true
				return pass(ctx, env, emit)
			})}
		}, result.Inconclusive, 3, result.ReasonIdentityMismatch, []string{"(compared after the suites)"}, false},
		{"a network stays", func(w *world) {
			w.options.Stuck = func(r provision.Resource) bool { return r.Kind == "network" }
		}, result.Qualified, 4, result.ReasonLeftovers, []string{"left over: network q-"}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.change(w)
			said := w.qualify(context.Background())
			if said.code != test.code {
				t.Errorf("exit code %d, want %d: %s%s", said.code, test.code, said.stdout, said.stderr)
			}
			doc := w.verdict(t)
			if doc.Verdict != test.verdict || doc.ExitCode != test.code {
				t.Errorf("verdict %s, exit code %d", doc.Verdict, doc.ExitCode)
			}
			if !slices.ContainsFunc(doc.Reasons, func(r result.Reason) bool { return r.Code == test.reason }) {
				t.Errorf("reasons %+v, want %s", doc.Reasons, test.reason)
			}
			for _, words := range test.says {
				if !strings.Contains(said.stdout, words) {
					t.Errorf("it answers\n%s\nwant %q in it", said.stdout, words)
				}
			}
			if !test.left {
				w.empty(t)
			}
		})
	}
}

func TestRunInterrupted(t *testing.T) {
	for signal, code := range map[string]int{"SIGINT": 130, "SIGTERM": 143} {
		t.Run(signal, func(t *testing.T) {
			w := newWorld(t)
			ctx, cancel := context.WithCancelCause(context.Background())
			w.suites = []suites.Suite{tiny(func(ctx context.Context, _ suites.Env, emit func(result.Case)) error {
				emit(result.Case{Name: "dns", Outcome: result.Pass, Attempt: 1})
				cancel(run.Interrupted{Signal: signal})
				<-ctx.Done()
				return ctx.Err()
			})}
			said := w.qualify(ctx)
			doc := w.verdict(t)
			if said.code != code || doc.ExitCode != code || doc.Verdict != result.Inconclusive {
				t.Errorf("exit code %d, recorded %d, verdict %s", said.code, doc.ExitCode, doc.Verdict)
			}
			if s := doc.Cells[0].Suites[0]; s.Passed != 1 || s.NotRun != 2 {
				t.Errorf("suite %+v", s)
			}
			if !strings.Contains(said.stderr, "stopping: ") {
				t.Errorf("it does not say that it stops: %s", said.stderr)
			}
			w.empty(t)
		})
	}
}

func TestRunKeeps(t *testing.T) {
	w := newWorld(t)
	said := w.qualify(context.Background(), "--keep")
	if said.code != 0 {
		t.Fatalf("exit code %d: %s", said.code, said.stderr)
	}
	left, err := w.cloud.All()
	if err != nil || len(left) == 0 {
		t.Errorf("%d resources were kept, %v", len(left), err)
	}
	run, err := os.Readlink(w.file("results/latest"))
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"kept: export KUBECONFIG=" + w.file("results"), "remove it with: qualify gc --run " + run + "\n"} {
		if !strings.Contains(said.stdout, words) {
			t.Errorf("it answers\n%s\nwant %q in it", said.stdout, words)
		}
	}
	// And so it can be removed.
	if said := w.call(context.Background(), "gc", "--run", run); said.code != 0 {
		t.Errorf("gc: exit code %d: %s", said.code, said.stderr)
	}
	w.empty(t)
}

// What can be tried again must be in the record: variables too.
func TestRunRecordsHowItWasAskedFor(t *testing.T) {
	w := newWorld(t)
	w.env["QUALIFY_OS"] = "debian-12"
	w.env["QUALIFY_PROCS"] = "2"
	procs := 0
	w.suites = []suites.Suite{tiny(func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
		procs = env.Procs
		return pass(ctx, env, emit)
	})}
	if said := w.qualify(context.Background()); said.code != 0 || procs != 2 {
		t.Fatalf("exit code %d, %d processes: %s", said.code, procs, said.stderr)
	}
	var info runInfo
	if err := readJSON(w.file("results/latest/run.json"), &info); err != nil {
		t.Fatal(err)
	}
	want := strings.Join(append([]string{"QUALIFY_OS=debian-12 QUALIFY_PROCS=2 qualify"}, w.flags()...), " ")
	if info.Command != want || !strings.HasPrefix(info.Tool, "qualify ") || len(info.Host) == 0 {
		t.Errorf("recorded %+v, want command %s", info, want)
	}
}

// The journal may become unwritable in mid-run: the disk is full.
func TestRunWithAFullDisk(t *testing.T) {
	w := newWorld(t)
	w.suites = []suites.Suite{tiny(func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
		defer limitFiles(t, w.file("results/latest/journal.jsonl"))()
		return pass(ctx, env, emit)
	})}
	said := w.qualify(context.Background())
	if said.code != 3 || !strings.Contains(said.stderr, "qualify: writing the journal: ") {
		t.Errorf("exit code %d: %s", said.code, said.stderr)
	}
	if doc := w.verdict(t); doc.Verdict != result.Inconclusive || doc.ExitCode != 3 {
		t.Errorf("verdict %s, exit code %d", doc.Verdict, doc.ExitCode)
	}
	w.empty(t)
}

func TestRunRefusesBeforeItCreatesAnything(t *testing.T) {
	tests := []struct {
		name string
		args []string
		env  map[string]string
		want string
	}{
		{"an unknown operating system", []string{"--os", "solaris"}, nil, "unknown os solaris; known: debian-12"},
		{"an unknown operating system by a variable", nil, map[string]string{"QUALIFY_OS": "solaris"}, "QUALIFY_OS=solaris"},
		{"an unknown suite", []string{"--suite", "huge"}, nil, `unknown suite "huge": known are tiny`},
		{"a suite twice", []string{"--suite", "tiny,tiny"}, nil, "suite tiny is named twice"},
		{"no processes", []string{"--procs", "0"}, nil, "--procs"},
		{"less than no workers", []string{"--workers", "-1"}, nil, "--workers"},
		{"a number that is none", nil, map[string]string{"QUALIFY_PROCS": "many"}, "variable QUALIFY_PROCS"},
		{"a release that is nothing", []string{"--release="}, nil, "--release is empty"},
		{"an operating system that is nothing", []string{"--os", ""}, nil, "--os is empty"},
		{"a variable that is nothing", nil, map[string]string{"QUALIFY_K8S": ""}, "variable QUALIFY_K8S: it is empty"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			for name, value := range test.env {
				w.env[name] = value
			}
			said := w.qualify(context.Background(), test.args...)
			if said.code != 2 || !strings.Contains(said.stderr, test.want) || said.stdout != "" {
				t.Errorf("exit code %d, it says %s%s", said.code, said.stdout, said.stderr)
			}
			for _, made := range []string{"results", "cloud"} {
				if _, err := os.Stat(w.file(made)); err == nil {
					t.Errorf("%s was made", made)
				}
			}
		})
	}
}

// No other reader may change what a run recorded.
func TestPlanIsSavedAsItWasExecuted(t *testing.T) {
	w := newWorld(t)
	var during []byte
	w.suites = []suites.Suite{tiny(func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
		var err error
		if during, err = os.ReadFile(w.file("results/latest/plan.json")); err != nil {
			t.Error(err)
		}
		return pass(ctx, env, emit)
	})}
	w.qualify(context.Background())
	after, err := os.ReadFile(w.file("results/latest/plan.json"))
	if err != nil || string(after) != string(during) {
		t.Errorf("the plan changed, %v", err)
	}
	var plan run.Plan
	if err := json.Unmarshal(after, &plan); err != nil || plan.Check() != nil {
		t.Errorf("%v, %v", err, plan.Check())
	}
}

package suites_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/identity"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

// victim is a run of real specs, in a cloud that is fake, by processes that are killed.
type victim struct{ dir, cloud, server, binary string }

const victimEnv = "QUALIFY_KILLED_SUITE"

// wanted ends in each way in which a spec can end without ending its process, and one that does.
func wanted() []string {
	return []string{
		"[sample] passes", "[sample] passes too", "[sample] tells", "[sample] fails", "[sample] panics", "[sample] skips itself",
		"[sample] runs alone", "[sample] is slow", "[sample] names is short", "[sample] ordered goes first and fails",
		"[sample] ordered goes second", "[sample] dying exits with 7",
	}
}

func (v victim) suite(string) (suites.Suite, error) {
	return suites.Suite{
		Name: "sample", Doc: "for tests", Expect: func(*release.Release) ([]string, error) { return wanted(), nil },
		Run: func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
			return suites.RunSpecs(ctx, env, v.binary, nil, emit)
		},
	}, nil
}

func (v victim) options() fake.Options {
	return fake.Options{Dir: v.cloud, Server: v.server, Answers: []fake.Answer{fake.Identity(fake.Release("v1.34.4"))}}
}

func (v victim) plan() (run.Plan, error) {
	rel := fake.Release("v1.34.4")
	return run.Compile(run.Compilation{
		Cells:   []matrix.Cell{matrix.NewCell(map[string]string{matrix.OS: "debian-12", matrix.K8s: "v1.34.4", matrix.Provisioner: fake.Name})},
		Workers: 1, Reruns: 1, Suites: []string{"sample"}, Suite: v.suite,
		Releases: map[string]*release.Release{"v1.34.4": rel}, Entries: map[string]provision.Entry{fake.Name: fake.Entry(v.options())},
	})
}

// TestVictim is no test: it is the process that TestKilledAtASpec kills.
func TestVictim(t *testing.T) {
	text := os.Getenv(victimEnv)
	if text == "" {
		t.Skip("it is a process of TestKilledAtASpec")
	}
	part := strings.Split(text, "|")
	if err := (victim{part[0], part[1], part[2], part[3]}).work(); err != nil {
		t.Fatal(err)
	}
}

func (v victim) work() error {
	plan, err := v.plan()
	if err != nil {
		return err
	}
	journal, past, err := result.Open(filepath.Join(v.dir, "journal.jsonl"), time.Now)
	if err != nil {
		return err
	}
	s := sink.New(redact.New())
	p, err := fake.Entry(v.options()).New(provision.Config{Log: func(string, ...any) {}, Sink: s})
	if err != nil {
		return err
	}
	rel := fake.Release("v1.34.4")
	none := func(context.Context, *release.Release, string) (string, error) { return "", fs.ErrNotExist }
	err = run.Execute(context.Background(), plan, run.Deps{
		Run: filepath.Base(v.dir), Dir: v.dir, Owner: "host/1", Journal: journal, Past: past, Sink: s, Procs: 3, Now: time.Now,
		Provisioners: map[string]provision.Provisioner{fake.Name: p}, Releases: map[string]*release.Release{rel.Digest(): rel},
		Suite: v.suite, Prover: identity.Prover{Arch: "amd64"}, Artifact: none, Shortage: bootstrap.Shortage,
		Observe: func(e result.Event) { fmt.Println("event", e.Kind) },
	})
	return errors.Join(err, journal.Close())
}

// process works on the run and is killed after so many events; 0 lets it come
// to its end. It tells whether it did.
func (v victim) process(t *testing.T, killAfter int) (ended bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestVictim$", "-test.v")
	cmd.Env = append(os.Environ(), victimEnv+"="+strings.Join([]string{v.dir, v.cloud, v.server, v.binary}, "|"), "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	heard, failed := 0, ""
	for in := bufio.NewScanner(out); in.Scan(); {
		if strings.HasPrefix(in.Text(), "event ") {
			if heard++; heard == killAfter {
				_ = cmd.Process.Kill()
			}
		} else if strings.Contains(in.Text(), "FAIL") {
			failed = in.Text()
		}
	}
	err = cmd.Wait()
	if err != nil && !strings.Contains(err.Error(), "signal: killed") {
		t.Fatalf("the process ended with %v: %s", err, failed)
	}
	return err == nil
}

// shown is what the journal has of each spec: the outcomes of its attempts by
// their numbers. An attempt that was recorded more than once is there more than once.
func (v victim) shown(t *testing.T) (map[string][]string, result.Document) {
	t.Helper()
	events, _, err := result.ReadFile(filepath.Join(v.dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string][]string{}
	for _, e := range events {
		if e.Kind == result.CaseEnded {
			shown[e.Case.Name] = append(shown[e.Case.Name], fmt.Sprintf("%d %s", e.Case.Attempt, e.Case.Outcome))
		}
	}
	for _, attempts := range shown {
		slices.Sort(attempts)
	}
	plan, err := v.plan()
	if err != nil {
		t.Fatal(err)
	}
	return shown, result.Judge(plan.Judged(), result.Fold(events), result.DefaultPolicy())
}

func newVictim(t *testing.T) victim {
	t.Helper()
	binary, err := suites.BuildSample()
	if err != nil {
		t.Fatal(err)
	}
	cloud := fake.Cloud{Dir: t.TempDir()}
	server := httptest.NewServer(cloud.API(fake.Release("v1.34.4")))
	t.Cleanup(server.Close)
	v := victim{dir: filepath.Join(t.TempDir(), "20261127-100000-00000001"), cloud: cloud.Dir, server: server.URL, binary: binary}
	if err := os.Mkdir(v.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	journal, err := result.Create(filepath.Join(v.dir, "journal.jsonl"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := journal.Close(); err != nil {
		t.Fatal(err)
	}
	return v
}

// A process that runs specs is killed at a random one, and the process that goes
// on at another. The union of the evidence is complete, equal to that of a run
// that nobody disturbed, and nothing that was recorded is run again.
func TestKilledAtASpec(t *testing.T) {
	undisturbed := newVictim(t)
	if !undisturbed.process(t, 0) {
		t.Fatal("the undisturbed run did not end")
	}
	want, verdict := undisturbed.shown(t)
	if len(want) != len(wanted()) || verdict.Verdict != result.NotQualified {
		t.Fatalf("undisturbed: %v, %s %v", want, verdict.Verdict, verdict.Reasons)
	}
	const kills = 10
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	resumed := 0
	for range kills {
		v := newVictim(t)
		// From the suite's start, the 16th event or so, to its last spec.
		for _, after := range []int{12 + random.IntN(24), 4 + random.IntN(16)} {
			if v.process(t, after) {
				break
			}
			resumed++
		}
		if !v.process(t, 0) {
			t.Fatal("the last process did not end")
		}
		got, doc := v.shown(t)
		// The last spec of a suite whose end was not seen is run again.
		twice := 0
		for name, attempts := range got {
			if n := len(attempts) - len(slices.Compact(slices.Clone(attempts))); n > 0 {
				twice++
				got[name] = slices.Compact(attempts)
			}
		}
		// Those of an ordered container are run together: who was killed between
		// them has run the first once more, and that is an attempt.
		same := func(name string) bool {
			a, b := got[name], want[name]
			if strings.Contains(name, "ordered") {
				word := func(s []string) string { return strings.Fields(s[len(s)-1])[1] }
				return len(a) > 0 && len(a) <= 4 && word(a) == word(b)
			}
			return slices.Equal(a, b)
		}
		if len(got) != len(want) || slices.ContainsFunc(wanted(), func(name string) bool { return !same(name) }) || twice > 3 {
			t.Errorf("%d specs twice, and\n%v, want\n%v", twice, got, want)
		}
		if doc.Verdict != verdict.Verdict || !slices.Equal(doc.Cells[0].Suites, verdict.Cells[0].Suites) {
			t.Errorf("%s, %+v, want %s, %+v: %v", doc.Verdict, doc.Cells[0].Suites, verdict.Verdict, verdict.Cells[0].Suites, doc.Reasons)
		}
	}
	if resumed < kills {
		t.Errorf("only %d processes were killed", resumed)
	}
}

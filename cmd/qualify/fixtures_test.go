package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

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

var update = flag.Bool("update", false, "record the runs in testdata again, and what is made of them")

// tape records a run as run.Execute does, through the journal, at times that
// are always the same.
type tape struct {
	id, dir string
	plan    run.Plan
	cell    string
	journal *result.Journal
	err     error
}

func newTape(id, dir string) (*tape, error) {
	t := &tape{id: id, dir: dir}
	cell := matrix.NewCell(map[string]string{matrix.OS: "debian-12", matrix.K8s: "v1.34.4", matrix.Provisioner: fake.Name})
	t.cell = cell.ID
	var err error
	t.plan, err = run.Compile(run.Compilation{
		Cells: []matrix.Cell{cell}, Workers: 1, Suites: []string{"tiny"},
		Releases: map[string]*release.Release{"v1.34.4": candidate()},
		Entries:  map[string]provision.Entry{fake.Name: fake.Entry(fake.Options{Dir: dir})},
		Suite:    func(string) (suites.Suite, error) { return tiny(pass), nil },
	})
	if err != nil {
		return nil, err
	}
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	tick := func() time.Time { at = at.Add(time.Second); return at }
	info := runInfo{ID: id, Tool: "qualify v0.1.0", Command: "qualify --os debian-12 --k8s 1.34", Host: []string{"cpus: 2", "kernel: 6.1.0-28-amd64"}}
	path := runDirectory{id, dir}
	if err := errors.Join(writeJSON(sink.New(redact.New()), path.file("plan.json"), t.plan), writeJSON(sink.New(redact.New()), path.file("run.json"), info)); err != nil {
		return nil, err
	}
	t.journal, err = result.Create(path.file("journal.jsonl"), tick)
	return t, err
}

func (t *tape) add(events ...result.Event) {
	for _, e := range events {
		_, err := t.journal.Append(e)
		t.err = errors.Join(t.err, err)
	}
}

func (t *tape) phase(name string, during ...result.Event) {
	t.add(result.Event{Kind: result.PhaseStarted, Cell: t.cell, Phase: name})
	t.add(during...)
	t.add(result.Event{Kind: result.PhaseEnded, Cell: t.cell, Phase: name, Seconds: float64(1 + 2*len(during))})
}

func (t *tape) start() {
	lease := run.LeaseName(t.id, t.cell, 1)
	t.add(
		result.Event{Kind: result.RunStarted, Text: t.id, Plan: t.plan.Hash, Release: t.plan.Judged().Release.Digest},
		result.Event{Kind: result.LeaseOpened, Cell: t.cell, Lease: &result.Lease{
			Name: lease, Run: t.id, Cell: t.cell, Owner: "host/1", Expires: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		}},
	)
	t.phase("create")
}

func (t *tape) identity(stage string, mismatched ...string) result.Event {
	return result.Event{
		Kind: result.IdentityMatch, Cell: t.cell, Stage: stage, Release: t.plan.Judged().Release.Digest,
		Checked: []string{"node a file kubelet: 00", "node a process kubelet: 00"}, Mismatched: mismatched,
	}
}

// tests records the suite with so many of its cases.
func (t *tape) tests(outcomes []result.Outcome, end string) {
	var cases []result.Event
	for i, outcome := range outcomes {
		c := result.Case{Name: t.plan.Cells[0].Suites[0].Expected[i], Outcome: outcome, Attempt: 1, Seconds: 1.5}
		if outcome != result.Pass {
			c.Message, c.Log = "no answer from 10.96.0.10\nafter 30 s", "dig: timed out\n"
		}
		cases = append(cases, result.Event{Kind: result.CaseEnded, Cell: t.cell, Suite: "tiny", Case: &c})
	}
	t.add(result.Event{Kind: result.SuiteStarted, Cell: t.cell, Suite: "tiny"})
	t.phase("tiny", cases...)
	t.add(result.Event{Kind: result.SuiteEnded, Cell: t.cell, Suite: "tiny", Text: end})
}

func (t *tape) down() {
	t.phase("down")
	t.add(result.Event{Kind: result.LeaseClosed, Cell: t.cell, Text: run.LeaseName(t.id, t.cell, 1)})
}

func (t *tape) end(text string) { t.add(result.Event{Kind: result.RunEnded, Text: text}) }

// whole records a run in which the cases end like that.
func (t *tape) whole(outcomes ...result.Outcome) {
	t.start()
	t.phase("identify-before", t.identity(result.StageBefore))
	t.tests(outcomes, "")
	t.phase("identify-after", t.identity(result.StageAfter))
	t.down()
	t.end(result.RunComplete)
}

// recordings are the runs in testdata/runs, each told to a tape; after, where
// there is one, does to the files what happened to them later.
func recordings() map[string]struct {
	tell  func(*tape)
	after func(runDirectory) error
} {
	type recording = struct {
		tell  func(*tape)
		after func(runDirectory) error
	}
	good := func(t *tape) { t.whole(result.Pass, result.Pass, result.Pass) }
	return map[string]recording{
		"qualified":   {good, nil},
		"case-failed": {func(t *tape) { t.whole(result.Pass, result.Fail, result.Pass) }, nil},
		"product-fault": {func(t *tape) {
			t.start()
			t.add(result.Event{Kind: result.ProductFault, Cell: t.cell, Text: "starting on node a (failed): kubelet: exit status 1", Log: kubeletLog})
			t.down()
			t.end(result.RunComplete)
		}, nil},
		"identity-mismatch": {func(t *tape) {
			t.start()
			t.phase("identify-before", t.identity(result.StageBefore))
			t.tests([]result.Outcome{result.Pass, result.Pass, result.Pass}, "")
			t.phase("identify-after", t.identity(result.StageAfter, "node a image etcd: has sha256:11, the release has sha256:22"))
			t.down()
			t.end(result.RunComplete)
		}, nil},
		"interrupted": {func(t *tape) {
			t.start()
			t.phase("identify-before", t.identity(result.StageBefore))
			t.tests([]result.Outcome{result.Pass}, "interrupted by SIGINT")
			t.down()
			t.end(result.RunInterrupted("SIGINT"))
		}, nil},
		"leftovers": {func(t *tape) {
			t.start()
			t.phase("identify-before", t.identity(result.StageBefore))
			t.tests([]result.Outcome{result.Pass, result.Pass, result.Pass}, "")
			t.phase("identify-after", t.identity(result.StageAfter))
			t.phase("down")
			t.add(result.Event{Kind: result.Leftover, Cell: t.cell, Text: "network q-1"})
			t.end(result.RunComplete)
		}, nil},
		"truncated": {good, func(d runDirectory) error {
			return edit(d.file("journal.jsonl"), func(data []byte) []byte { return data[:len(data)-30] })
		}},
		"damaged": {good, func(d runDirectory) error {
			return edit(d.file("journal.jsonl"), func(data []byte) []byte {
				return bytes.Replace(data, []byte(`"name":"exec","outcome":"pass"`), []byte(`"name":"exec","outcome":"skip"`), 1)
			})
		}},
		"tampered-plan": {good, func(d runDirectory) error { return lessExpected(d, false) }},
		"other-plan":    {good, func(d runDirectory) error { return lessExpected(d, true) }},
		"no-plan":       {good, func(d runDirectory) error { return os.Remove(d.file("plan.json")) }},
		"no-journal":    {good, func(d runDirectory) error { return os.Remove(d.file("journal.jsonl")) }},
	}
}

const kubeletLog = `line that is too far back to matter 1
line that is too far back to matter 2
line that is too far back to matter 3
kubelet[412]: I1122 10:00:01 server.go:484] "Kubelet version" kubeletVersion="v1.34.4"
kubelet[412]: I1122 10:00:02 a
kubelet[412]: I1122 10:00:03 b
kubelet[412]: I1122 10:00:04 c
kubelet[412]: I1122 10:00:05 d
kubelet[412]: I1122 10:00:06 e
kubelet[412]: I1122 10:00:07 f
kubelet[412]: I1122 10:00:08 g
kubelet[412]: I1122 10:00:09 h

kubelet[412]: I1122 10:00:10 i
kubelet[412]: I1122 10:00:11 j
kubelet[412]: I1122 10:00:12 ` + "\x1b[31mred\x1b[0m" + `
kubelet[412]: E1122 10:00:13 run.go:72] "command failed" err="unknown field cgroupDriverX"
systemd[1]: kubelet.service: Main process exited, code=exited, status=1/FAILURE
systemd[1]: kubelet.service: Failed with result 'exit-code'.
`

func edit(file string, how func([]byte) []byte) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	changed := how(data)
	if bytes.Equal(changed, data) {
		return errors.New("nothing was changed in " + file)
	}
	return os.WriteFile(file, changed, 0o600)
}

// lessExpected makes the plan expect a case less; honest gives it the hash
// that it has then.
func lessExpected(d runDirectory, honest bool) error {
	var plan run.Plan
	if err := readJSON(d.file("plan.json"), &plan); err != nil {
		return err
	}
	suite := &plan.Cells[0].Suites[0]
	suite.Expected = suite.Expected[:len(suite.Expected)-1]
	if honest {
		hash, err := hashOf(plan)
		if err != nil {
			return err
		}
		plan.Hash = hash
	}
	return writeJSON(sink.New(redact.New()), d.file("plan.json"), plan)
}

// hashOf asks the plan's own check, which alone knows how to hash.
func hashOf(plan run.Plan) (string, error) {
	err := plan.Check()
	if err == nil {
		return plan.Hash, nil
	}
	at := bytes.Index([]byte(err.Error()), []byte("sha256:"))
	if at < 0 {
		return "", err
	}
	return err.Error()[at : at+len("sha256:")+64], nil
}

// record writes a recording into a directory.
func recordRun(name, dir string) error {
	r := recordings()[name]
	number := slices.Index(slices.Sorted(names(recordings())), name)
	t, err := newTape("20261122-100000-0000000"+string(rune('a'+number)), dir)
	if err != nil {
		return err
	}
	r.tell(t)
	if err := errors.Join(t.err, t.journal.Close()); err != nil {
		return err
	}
	if r.after == nil {
		return nil
	}
	return r.after(runDirectory{t.id, dir})
}

func names[T any](m map[string]T) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range m {
			if !yield(name) {
				return
			}
		}
	}
}

// The recorded runs are what would be recorded now: a change of the journal
// or of the plan that reads old ones no more shows here.
func TestRecordings(t *testing.T) {
	for name := range recordings() {
		t.Run(name, func(t *testing.T) {
			fresh := t.TempDir()
			if err := recordRun(name, fresh); err != nil {
				t.Fatal(err)
			}
			recorded := filepath.Join("testdata", "runs", name)
			if *update {
				if err := errors.Join(os.RemoveAll(recorded), os.CopyFS(recorded, os.DirFS(fresh)), writeWanted(name, fresh)); err != nil {
					t.Fatal(err)
				}
			}
			same(t, os.DirFS(recorded), os.DirFS(fresh))
		})
	}
}

// writeWanted writes the verdict that is expected of a recording.
func writeWanted(name, dir string) error {
	var stdout, stderr bytes.Buffer
	shipped([]string{"judge", dir}).main(context.Background(), &stdout, &stderr)
	file := filepath.Join("testdata", "verdicts", name+".json")
	if stdout.Len() == 0 {
		return os.RemoveAll(file)
	}
	return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, stdout.Bytes(), 0o600))
}

// same wants the same files with the same bytes.
func same(t *testing.T, got, want fs.FS) {
	t.Helper()
	read := func(dir fs.FS) map[string]string {
		files := map[string]string{}
		err := fs.WalkDir(dir, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := fs.ReadFile(dir, path)
			files[path] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	a, b := read(got), read(want)
	for name := range b {
		if a[name] != b[name] {
			t.Errorf("%s differs from what would be recorded now; go test -run Recordings -update records it again", name)
		}
	}
	for name := range a {
		if _, is := b[name]; !is {
			t.Errorf("%s would not be recorded now", name)
		}
	}
}

// Each verdict keeps to the published schema.
func TestWantedVerdicts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "verdicts", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d verdicts, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkSchema(data); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		var doc result.Document
		if err := json.Unmarshal(data, &doc); err != nil || doc.ExitCode == 0 && filepath.Base(file) != "qualified.json" {
			t.Errorf("%s: exit code %d, %v", file, doc.ExitCode, err)
		}
	}
}

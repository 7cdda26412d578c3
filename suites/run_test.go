package suites

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
)

func TestMain(m *testing.M) {
	status := m.Run()
	_ = os.RemoveAll(buildDir())
	os.Exit(status)
}

func buildDir() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("qualify-suites-%d", os.Getpid()))
}

// buildSample compiles the sample suite of internal/ginkgo, with copies of the
// module files: it imports more of Ginkgo than the module itself does.
var buildSample = sync.OnceValues(func() (string, error) {
	if err := os.MkdirAll(buildDir(), 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(buildDir(), name), data, 0o600); err != nil {
			return "", err
		}
	}
	file := filepath.Join(buildDir(), "sample")
	out, err := exec.Command("go", "test", "-c", "-mod=mod", "-modfile="+filepath.Join(buildDir(), "go.mod"),
		"-o", file, "../internal/ginkgo/testdata/sample").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("compiling the sample suite: %w: %s", err, out)
	}
	return file, nil
})

// runSample runs specs of the sample suite and returns the outcomes.
func runSample(t *testing.T, env Env) (map[string]result.Outcome, error) {
	t.Helper()
	sample, err := buildSample()
	if err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]result.Outcome{}
	err = runSpecs(t.Context(), env, sample, nil, func(c result.Case) {
		if _, twice := outcomes[c.Name]; twice {
			t.Errorf("%q is emitted twice", c.Name)
		}
		outcomes[c.Name] = c.Outcome
	})
	return outcomes, err
}

// Exactly the expected specs become cases. The suite has others: some pending,
// some with texts that contain these.
func TestRunSpecs(t *testing.T) {
	want := map[string]result.Outcome{
		"[sample] passes": result.Pass, "[sample] fails": result.Fail, "[sample] panics": result.Fail, "[sample] skips itself": result.Skip,
		"[sample] names is short": result.Pass, "[sample] runs alone": result.Pass,
	}
	env := Env{Sink: sink.New(redact.New()), Dir: t.TempDir(), Procs: 2}
	for name := range want {
		env.Expected = append(env.Expected, name)
	}
	got, err := runSample(t, env)
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v and %v, want %v", got, err, want)
	}
}

// What the binary lacks, or has twice, is refused before anything runs.
func TestRunSpecsLooksFirst(t *testing.T) {
	for _, c := range []struct {
		expected []string
		want     string
	}{
		{[]string{"[sample] passes", "[sample] was removed", "[sample] too"}, `no spec "[sample] was removed" (2 of 3 names`},
		{[]string{"[sample] is pending"}, `no spec "[sample] is pending"`},
		{[]string{"[sample] pass"}, "no spec"},
		{[]string{"[sample] passes", "[sample] twin"}, `several specs "[sample] twin"`},
		{nil, "no spec to run"},
	} {
		env := Env{Sink: sink.New(redact.New()), Dir: t.TempDir(), Procs: 2, Expected: c.expected}
		got, err := runSample(t, env)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(got) > 0 {
			t.Errorf("%q: got %v and %v, want %q", c.expected, got, err, c.want)
		}
		if left, err := os.ReadDir(env.Dir); err != nil || len(left) > 0 {
			t.Errorf("%q: %v has run, %v", c.expected, left, err)
		}
	}
}

// One at a time, a suite leaves the files of a submission.
func TestRunSpecsAlone(t *testing.T) {
	sample, err := buildSample()
	if err != nil {
		t.Fatal(err)
	}
	env := Env{Sink: sink.New(redact.New()), Dir: t.TempDir(), Procs: 4, Expected: []string{"[sample] tells", "[sample] passes", "[sample] runs alone"}}
	var got []string
	err = specs{binary: sample, alone: true}.run(t.Context(), env, func(c result.Case) { got = append(got, c.Name) })
	if err != nil || !slices.Equal(got, env.Expected) {
		t.Errorf("they ended as %q, %v", got, err)
	}
	for _, name := range []string{"e2e.log", "junit_01.xml"} {
		if info, err := os.Stat(filepath.Join(env.Dir, name)); err != nil || info.Size() == 0 || info.Mode() != 0o600 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if log, err := os.ReadFile(filepath.Join(env.Dir, "e2e.log")); err != nil || !strings.Contains(string(log), "told the writer") {
		t.Errorf("e2e.log lacks what a spec said, %v", err)
	}
	if _, err := os.Stat(filepath.Join(env.Dir, "process-3.log")); err == nil {
		t.Error("there was a third process")
	}
}

// What did not pass is tried again, each attempt is kept, and too much that
// did not pass is not.
func TestRunSpecsTriesAgain(t *testing.T) {
	sample, err := buildSample()
	if err != nil {
		t.Fatal(err)
	}
	attempts := func(env Env, alone bool) (got []string, err error) {
		env.Sink, env.Dir, env.Procs = sink.New(redact.New()), t.TempDir(), 2
		s := specs{binary: sample, alone: alone, args: []string{"-sample.dir=" + env.Dir}}
		err = s.run(t.Context(), env, func(c result.Case) {
			got = append(got, fmt.Sprintf("%s %d %s", strings.TrimPrefix(c.Name, "[sample] "), c.Attempt, c.Outcome))
		})
		slices.Sort(got)
		return got, err
	}
	const flaky, fails, passes, dies = "[sample] fails at first", "[sample] fails", "[sample] passes", "[sample] dying exits with 7"
	many := []string{passes}
	for i := range 12 {
		many = append(many, fmt.Sprintf("[sample] fails too, number %d", i))
	}
	for _, c := range []struct {
		env   Env
		alone bool
		want  []string
	}{
		{Env{Expected: []string{passes, flaky}}, false, []string{"fails at first 1 fail", "passes 1 pass"}},
		{Env{Expected: []string{passes, flaky}, Reruns: 1}, false, []string{"fails at first 1 fail", "fails at first 2 pass", "passes 1 pass"}},
		{Env{Expected: []string{passes, flaky}, Reruns: 1}, true, []string{"fails at first 1 fail", "passes 1 pass"}},
		{Env{Expected: []string{fails}, Reruns: 2}, false, []string{"fails 1 fail", "fails 2 fail", "fails 3 fail"}},
		{Env{Expected: []string{dies, passes}, Reruns: 1}, false, []string{"dying exits with 7 1 error", "dying exits with 7 2 error", "passes 1 pass"}},
		{Env{Expected: []string{"[sample] skips itself"}, Reruns: 1}, false, []string{"skips itself 1 skip"}},
		// What an earlier process has left to be tried again.
		{Env{Expected: []string{passes}, Reruns: 2, Broken: map[string]int{fails: 2}}, false, []string{"fails 3 fail", "passes 1 pass"}},
		{Env{Expected: []string{passes}, Reruns: 1, Broken: map[string]int{fails: 2}}, false, []string{"passes 1 pass"}},
	} {
		if got, err := attempts(c.env, c.alone); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, %v; want %q", c.env, got, err, c.want)
		}
	}
	// What stands in one ordered container is run together.
	const first, second = "[sample] ordered goes first and fails", "[sample] ordered goes second"
	for _, c := range []struct {
		env  Env
		want []string
	}{
		{Env{Expected: []string{second}, Shown: []string{first}, Broken: map[string]int{first: 1}, Reruns: 1},
			[]string{"ordered goes first and fails 2 fail", "ordered goes second 1 skip"}},
		{Env{Expected: []string{first, second}, Reruns: 1},
			[]string{"ordered goes first and fails 1 fail", "ordered goes first and fails 2 fail", "ordered goes second 1 skip", "ordered goes second 2 skip"}},
		{Env{Expected: []string{second}}, []string{"ordered goes second 1 pass"}}, // by the user's own wish
	} {
		if got, err := attempts(c.env, false); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, %v; want %q", c.env, got, err, c.want)
		}
	}
	if got, err := attempts(Env{Expected: many, Reruns: 1}, false); err != nil || len(got) != len(many) {
		t.Errorf("of many that fail: %q, %v", got, err)
	}
	if got, err := attempts(Env{Expected: many[:11], Reruns: 1}, false); err != nil || len(got) != 21 {
		t.Errorf("of ten that fail: %q, %v", got, err)
	}
}

// Where the release has a list of all specs, the binary may have no other.
func TestRunSpecsKnowsAll(t *testing.T) {
	sample, err := buildSample()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		known []string
		want  string
	}{
		{[]string{"[sample] passes", "[sample] passes too", "[sample] passes at its second attempt"}, ""},
		{[]string{"[sample] passes", "[sample] passes too"}, `has "[sample] passes at its second attempt", and 1 specs in all`},
		{nil, "and 3 specs in all"},
	} {
		ran := 0
		env := Env{Sink: sink.New(redact.New()), Dir: t.TempDir(), Procs: 2, Expected: []string{"[sample] passes"}}
		s := specs{binary: sample, all: `\[sample\] passes`, known: c.known}
		err := s.run(t.Context(), env, func(result.Case) { ran++ })
		if c.want == "" && (err != nil || ran != 1) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || ran > 0) {
			t.Errorf("%q: %d ran, %v", c.known, ran, err)
		}
	}
}

// A spec that ends its process is an error, and the rest goes on.
func TestRunSpecsThatDie(t *testing.T) {
	want := map[string]result.Outcome{"[sample] passes": result.Pass, "[sample] dying exits with 7": result.Error, "[sample] runs alone": result.Pass}
	got, err := runSample(t, Env{Sink: sink.New(redact.New()), Dir: t.TempDir(), Procs: 2, Expected: slices.Sorted(maps.Keys(want))})
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v and %v", got, err)
	}
}

// recording is a test binary that writes down how it was called.
func recording(t *testing.T) (binary, calls string) {
	t.Helper()
	dir := t.TempDir()
	binary, calls = filepath.Join(dir, "binary"), filepath.Join(dir, "calls")
	script := "#!/bin/sh\nfor a; do printf '%s\\n' \"$a\" >> '" + calls + "'; done\nexit 3\n"
	if err := os.WriteFile(binary, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return binary, calls
}

// The suites hand the cluster's own kubeconfig and the candidate's own files
// to their binaries, and do not run without them.
func TestSuitesCallTheirBinaries(t *testing.T) {
	missing := errors.New("not in this release")
	for _, c := range []struct {
		suite string
		want  []string
	}{
		{"smoke", []string{"--provider=skeleton", "--kubeconfig=/run/kubeconfig", "--agnhost-image=registry.example/agnhost:2.56"}},
		{"conformance", []string{"--provider=skeleton", "--kubeconfig=/run/kubeconfig", "--kubectl-path=/files/bin/linux/amd64/kubectl"}},
	} {
		suite, err := Find(c.suite)
		if err != nil {
			t.Fatal(err)
		}
		binary, calls := recording(t)
		rel := releaseOf("v1.34.4")
		rel.Components = append(rel.Components, release.Component{Name: "kubernetes-test", Assets: []release.Asset{
			{Name: "agnhost-image", Type: release.Image, URI: "registry.example/agnhost:2.56"},
		}})
		env := Env{
			Sink:    sink.New(redact.New()),
			Cluster: &cluster.Cluster{Kubeconfig: "/run/kubeconfig"}, Release: rel, Dir: t.TempDir(), Procs: 2, Expected: []string{"x"},
			Tool: func(string) (string, error) { return binary, nil },
			Artifact: func(_ context.Context, asset string) (string, error) {
				if strings.HasSuffix(asset, "/e2e.test") {
					return binary, nil
				}
				return "/files/" + asset, nil
			},
		}
		if err := suite.Run(t.Context(), env, func(result.Case) { t.Error("a case out of nothing") }); err == nil || !strings.Contains(err.Error(), "exit status 3") {
			t.Errorf("%s with a broken binary: %v", c.suite, err)
		}
		data, err := os.ReadFile(calls)
		if err != nil {
			t.Fatal(err)
		}
		for _, arg := range append(c.want, "--ginkgo.dry-run", "--ginkgo.focus= (?:x)$") {
			if !strings.Contains("\n"+string(data), "\n"+arg+"\n") {
				t.Errorf("%s: %q is not among %q", c.suite, arg, data)
			}
		}
		for _, file := range []string{"/e2e.test", "/kubectl"} {
			without := env
			without.Tool = func(string) (string, error) { return "", missing }
			without.Artifact = func(ctx context.Context, asset string) (string, error) {
				if strings.HasSuffix(asset, file) {
					return "", missing
				}
				return env.Artifact(ctx, asset)
			}
			if err := suite.Run(t.Context(), without, func(result.Case) {}); !errors.Is(err, missing) {
				t.Errorf("%s without its files: %v", c.suite, err)
			}
		}
	}
	smoke, binary := smoke(), "/bin/false"
	env := Env{Sink: sink.New(redact.New()), Release: releaseOf("v1.34.4"), Tool: func(string) (string, error) { return binary, nil }}
	if err := smoke.Run(t.Context(), env, nil); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "agnhost") {
		t.Errorf("smoke without agnhost: %v", err)
	}
}

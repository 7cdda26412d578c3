package suites

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/inpod"
	"github.com/qualify-dev/qualify/internal/inpod/inpodtest"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
)

// stage is a world in which one backend runs specs of the sample suite.
type stage struct {
	backend Backend
	env     Env
	// left are the things that the backend has made and not removed.
	left func() []string
	// lose makes the suite's end never be seen; nil where there is no way to.
	lose func()
}

// stages are those of all backends: who adds one is held to the same.
func stages() map[string]func(*testing.T) *stage {
	return map[string]func(*testing.T) *stage{"direct": directStage, "pod": podStage, "sonobuoy": sonobuoyStage}
}

func TestEveryBackendHasAStage(t *testing.T) {
	for _, b := range backends() {
		if stages()[b.Name] == nil || b.Doc == "" {
			t.Errorf("%s is held to nothing, or says nothing of itself", b.Name)
		}
	}
	if len(stages()) != len(backends()) || backends()[0].Name != "direct" {
		t.Error("a stage without a backend, or another default than direct")
	}
}

func directStage(t *testing.T) *stage {
	return &stage{backend: direct(), env: sampleEnv(t), left: func() []string { return nil }}
}

func sampleEnv(t *testing.T) Env {
	return Env{Sink: sink.New(redact.New()), Dir: t.TempDir(), Procs: 2, Release: releaseOf("v1.34.4"), Cluster: &cluster.Cluster{Name: "q-1"}}
}

// podStage has the pod's container run the sample suite itself, by the
// variables that it is given.
func podStage(t *testing.T) *stage {
	sample, err := buildSample()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{backend: pod(), env: sampleEnv(t)}
	api := &inpodtest.API{Mistake: t.Errorf, Runs: 1, Files: map[string][]byte{"/usr/local/bin/e2e.test": program}}
	lost := false
	ran := map[string]bool{}
	api.Look = func(n int, pod *corev1.Pod) {
		switch {
		case lost && n > 1:
			pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "Evicted"
		case n > 2 && !ran[string(pod.UID)]:
			ran[string(pod.UID)] = true
			api.Exit = conformanceImage(t, sample, pod.Spec.Containers[0].Env, api.Files)
			pod.Status.ContainerStatuses[0].State.Terminated.ExitCode = api.Exit
		}
	}
	server := api.Start()
	t.Cleanup(server.Close)
	s.env.Cluster.Kubeconfig, s.env.Cluster.Foreign = filepath.Join(t.TempDir(), "kubeconfig"), true
	if err := os.WriteFile(s.env.Cluster.Kubeconfig, inpodtest.Kubeconfig(server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env.Conformance = func(context.Context) (Image, error) {
		return Image{Ref: "registry.example/conformance:v1.34.4", Digest: "sha256:1"}, nil
	}
	s.env.podTimes = inpod.Times{Poll: time.Millisecond}
	s.left, s.lose = api.Left, func() { lost = true }
	return s
}

// sonobuoyStage has the aggregator run the sample suite as its plugin would.
func sonobuoyStage(t *testing.T) *stage {
	sample, err := buildSample()
	if err != nil {
		t.Fatal(err)
	}
	s := podStage(t)
	s.backend = bySonobuoy()
	// Its own nodes, so that both images are brought there.
	s.env.Cluster.Foreign = false
	at := map[string]bool{}
	s.env.Cluster.Nodes = []cluster.Node{{Name: inpodtest.NodeName, Role: cluster.Worker, Transport: loads{"", at}}}
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	image := func(context.Context) (Image, error) { return Image{Ref: "r:1", Digest: "sha256:1", File: file}, nil }
	s.env.Conformance, s.env.Sonobuoy = image, image
	api := &inpodtest.API{Mistake: t.Errorf, Runs: 1e6}
	lost := false
	var archive []byte
	api.Look = func(n int, pod *corev1.Pod) {
		switch {
		case n < 3:
			return
		case lost:
			pod.Status.Phase = corev1.PodFailed
			return
		case archive == nil:
			archive = pluginArchive(t, sample, api)
		}
		pod.Annotations["sonobuoy.hept.io/status"] = fmt.Sprintf(
			`{"status":"complete","plugins":[{"plugin":"e2e","node":"global","status":"complete","result-status":"passed"}],"tar-info":{"name":"x.tar.gz","sha256":"%x","size":%d}}`,
			sha256.Sum256(archive), len(archive))
	}
	api.Exec = func([]string) ([]byte, int, bool) { return gzipped(t, map[string][]byte{"x.tar.gz": archive}), 0, true }
	server := api.Start()
	t.Cleanup(server.Close)
	if err := os.WriteFile(s.env.Cluster.Kubeconfig, inpodtest.Kubeconfig(server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	s.left, s.lose = api.Left, func() { lost = true }
	return s
}

// pluginArchive runs what the plugin is told to, and packs it as the aggregator does.
func pluginArchive(t *testing.T, sample string, api *inpodtest.API) []byte {
	data := api.Others["ConfigMap sonobuoy-plugins-cm"]["data"].(map[string]any)
	var plugin struct {
		Spec struct{ Env []corev1.EnvVar }
	}
	if err := yaml.Unmarshal([]byte(data["plugin-0.yaml"].(string)), &plugin); err != nil {
		t.Error(err)
	}
	files, packed := map[string][]byte{}, map[string][]byte{}
	status := "passed"
	if conformanceImage(t, sample, plugin.Spec.Env, files) != 0 {
		status = "failed"
	}
	for name, text := range files {
		packed["plugins/e2e/results/global/"+filepath.Base(name)] = text
	}
	packed["plugins/e2e/sonobuoy_results.yaml"] = []byte("name: e2e\nstatus: " + status + "\n")
	return gzipped(t, packed)
}

func gzipped(t *testing.T, files map[string][]byte) []byte {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for name, data := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(data)), Mode: 0o644}); err != nil {
			t.Error(err)
		}
		_, _ = w.Write(data)
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Error(err)
	}
	return out.Bytes()
}

// conformanceImage does what the real one does in a pod, and returns its exit
// code.
func conformanceImage(t *testing.T, sample string, vars []corev1.EnvVar, files map[string][]byte) int32 {
	env := map[string]string{}
	for _, e := range vars {
		env[e.Name] = e.Value
	}
	if env["E2E_SKIP"] != "" || env["E2E_PARALLEL"] != "1" || !strings.Contains(env["E2E_EXTRA_GINKGO_ARGS"], "-v --procs=") {
		t.Errorf("the image is told %v", env)
	}
	report := filepath.Join(t.TempDir(), "junit_01.xml")
	cmd := exec.Command(sample, "--ginkgo.v", "--ginkgo.no-color", "--ginkgo.focus="+env["E2E_FOCUS"], "--ginkgo.junit-report="+report, "-sample.dir="+os.TempDir())
	log, err := cmd.CombinedOutput()
	code, end := int32(0), "Test Suite Passed\n"
	if err != nil {
		code, end = 1, "Test Suite Failed\n"
	}
	files["/tmp/results/e2e.log"] = append(log, "\n"+end...)
	if files["/tmp/results/junit_01.xml"], err = os.ReadFile(report); err != nil {
		delete(files, "/tmp/results/junit_01.xml") // the process died
	}
	return code
}

// run has the backend run specs, and returns what it reports. Nothing may be
// reported when it has returned.
func (s *stage) run(ctx context.Context, t *testing.T, names ...string) (map[string]result.Outcome, error) {
	t.Helper()
	sample, err := buildSample()
	if err != nil {
		t.Fatal(err)
	}
	sp := specs{binary: sample, by: s.backend}
	if s.env.Expected = names; len(names) == 0 {
		t.Fatal("no names")
	}
	listing, err := sp.command(s.env).List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	over := false
	got := map[string]result.Outcome{}
	err = s.backend.run(ctx, s.env, job{specs: sp, names: names, try: 1, listing: listing}, func(c result.Case) {
		mu.Lock()
		defer mu.Unlock()
		if _, twice := got[c.Name]; twice || over || c.Attempt != 1 {
			t.Errorf("%q: reported twice, too late, or as attempt %d", c.Name, c.Attempt)
		}
		got[c.Name] = c.Outcome
	})
	mu.Lock()
	defer mu.Unlock()
	over = true
	return got, err
}

// Every backend shows the same of the same specs, and nothing of what it could
// not see to its end.
func TestBackends(t *testing.T) {
	const passes, tells, fails, panics, skips, quoted, dies = "[sample] passes", "[sample] tells", "[sample] fails", "[sample] panics", "[sample] skips itself",
		"[sample] names is short", "[sample] dying exits with 7"
	for name, make := range stages() {
		for what, want := range map[string]map[string]result.Outcome{
			"all pass":             {passes: result.Pass, tells: result.Pass, quoted: result.Pass},
			"one spec":             {passes: result.Pass},
			"some fail":            {passes: result.Pass, fails: result.Fail, panics: result.Fail},
			"all fail":             {fails: result.Fail},
			"one skips itself":     {passes: result.Pass, skips: result.Skip},
			"all at the same time": {passes: result.Pass, fails: result.Fail, skips: result.Skip, quoted: result.Pass},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				s := make(t)
				var names []string
				for n := range want {
					names = append(names, n)
				}
				slices.Sort(names)
				got, err := s.run(t.Context(), t, names...)
				if err != nil || fmt.Sprint(got) != fmt.Sprint(same(got, want)) || len(got) != len(want) {
					t.Errorf("%v and %v, want %v", got, err, want)
				}
				if left := s.left(); len(left) > 0 {
					t.Errorf("%q are left", left)
				}
			})
		}
		t.Run(name+" the suite dies", func(t *testing.T) {
			s := make(t)
			got, err := s.run(t.Context(), t, passes, dies)
			if got[dies] != result.Error && err == nil || got[dies] == result.Pass {
				t.Errorf("%v and %v", got, err)
			}
			if left := s.left(); len(left) > 0 {
				t.Errorf("%q are left", left)
			}
		})
		t.Run(name+" its end is lost", func(t *testing.T) {
			s := make(t)
			if s.lose == nil {
				t.Skip("it cannot be")
			}
			s.lose()
			if got, err := s.run(t.Context(), t, passes); err == nil || len(got) > 0 || len(s.left()) > 0 {
				t.Errorf("%v and %v, %q are left", got, err, s.left())
			}
		})
		t.Run(name+" it is cancelled", func(t *testing.T) {
			s := make(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errors.New("enough"))
			if got, err := s.run(ctx, t, passes); err == nil || got[passes] == result.Pass {
				t.Errorf("%v and %v", got, err)
			}
		})
	}
}

// same is want, with a panic taken for what a backend calls it: JUnit files
// have failures and errors, and say of a panic that it is an error.
func same(got, want map[string]result.Outcome) map[string]result.Outcome {
	all := map[string]result.Outcome{}
	for name, outcome := range want {
		if outcome == result.Fail && got[name] == result.Error && strings.HasSuffix(name, "panics") {
			outcome = result.Error
		}
		all[name] = outcome
	}
	return all
}

func TestBy(t *testing.T) {
	none, some := Suite{Name: "tiny"}, Suite{Name: "big", Backends: []Backend{{Name: "a"}, {Name: "b"}}}
	for _, c := range []struct {
		suite     Suite
		ask, want string
	}{
		{none, "", ""}, {none, "a", "!tiny has no backends"}, {some, "", ""}, {some, "a", ""}, {some, "b", "b"}, {some, "c", "!known are a, b"},
	} {
		b, err := c.suite.By(c.ask)
		refusal, refused := strings.CutPrefix(c.want, "!")
		if refused != (err != nil) || err != nil && !strings.Contains(err.Error(), refusal) || err == nil && b.Name != c.want {
			t.Errorf("%s by %q: %q, %v", c.suite.Name, c.ask, b.Name, err)
		}
	}
}

// Files that do not fit each other, the exit code or what was asked for are the
// suite's error; what they agree about is reported all the same.
func TestTake(t *testing.T) {
	sample, err := buildSample()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	const passes, fails = "[sample] passes", "[sample] fails"
	code := conformanceImage(t, sample, []corev1.EnvVar{
		{Name: "E2E_FOCUS", Value: " (?:\\[sample\\] passes|\\[sample\\] fails)$"}, {Name: "E2E_PARALLEL", Value: "1"}, {Name: "E2E_EXTRA_GINKGO_ARGS", Value: "-v --procs=1"},
	}, files)
	log, junit := files["/tmp/results/e2e.log"], files["/tmp/results/junit_01.xml"]
	for name, c := range map[string]struct {
		names []string
		ran   ran
		cases int
		want  string
	}{
		"as it was":            {[]string{passes, fails}, ran{junit, log, int(code)}, 2, ""},
		"with a good end":      {[]string{passes, fails}, ran{junit, log, 0}, 2, "exit code 0 does not fit"},
		"of fewer":             {[]string{passes}, ran{junit, log, int(code)}, 1, "nobody asked for"},
		"of more":              {[]string{passes, fails, "[sample] nowhere"}, ran{junit, log, int(code)}, 2, "says nothing of 1 of 3 tests"},
		"with another log":     {[]string{passes, fails}, ran{junit, []byte("Test Suite Passed\n"), int(code)}, 2, "contradict themselves"},
		"without a JUnit file": {[]string{passes, fails}, ran{nil, log, int(code)}, 0, "reading junit"},
	} {
		env, cases := sampleEnv(t), 0
		err := take(env, job{names: c.names, try: 1}, c.ran, func(result.Case) { cases++ })
		if cases != c.cases || (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d cases, %v; want %d, %q", name, cases, err, c.cases, c.want)
		}
	}
}

package suites

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/qualify-dev/qualify/internal/inpod/inpodtest"
	"github.com/qualify-dev/qualify/internal/result"
)

// pluginStage is a cluster in which the tiny plugin leaves some results.
func pluginStage(t *testing.T, results string) Env {
	s := sonobuoyStage(t)
	archive := gzipped(t, map[string][]byte{"plugins/tiny/sonobuoy_results.yaml": []byte(results)})
	api := &inpodtest.API{Mistake: t.Errorf, Runs: 1e6}
	api.Look = func(_ int, pod *corev1.Pod) {
		pod.Annotations["sonobuoy.hept.io/status"] = fmt.Sprintf(`{"status":"complete","plugins":[{"plugin":"tiny"}],"tar-info":{"name":"x.tar.gz","sha256":"%x","size":%d}}`,
			sha256.Sum256(archive), len(archive))
	}
	api.Exec = func([]string) ([]byte, int, bool) { return gzipped(t, map[string][]byte{"x.tar.gz": archive}), 0, true }
	server := api.Start()
	t.Cleanup(server.Close)
	if err := os.WriteFile(s.env.Cluster.Kubeconfig, inpodtest.Kubeconfig(server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../internal/sonobuoy/testdata/tiny.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.env.Plugin = string(text)
	return s.env
}

// A plugin's results are cases, and one more says what they amount to: that
// nothing ran is no success, though Sonobuoy calls it passed.
func TestPlugin(t *testing.T) {
	const end = "tiny: all results"
	for name, c := range map[string]struct {
		results string
		shown   []string
		want    []string // cases; or an error after !
	}{
		"two pass":          {"{status: passed, items: [{name: a, status: passed}, {name: b, status: passed}]}", nil, []string{"a pass", "b pass", end + " pass"}},
		"one fails":         {"{status: failed, items: [{name: a, status: passed}, {name: b, status: failed}]}", nil, []string{"a pass", "b fail", end + " fail"}},
		"one is skipped":    {"{status: passed, items: [{name: a, status: passed}, {name: b, status: skipped}]}", nil, []string{"a pass", end + " pass"}},
		"all are skipped":   {"{status: passed, items: [{name: a, status: skipped}]}", nil, []string{end + " error"}},
		"one timed out":     {"{status: failed, items: [{name: a, status: passed}, {name: b, status: timeout}]}", nil, []string{"a pass", "b error", end + " error"}},
		"of its own kind":   {"{status: 'ok: 1', items: [{name: a, status: ok}]}", nil, []string{"a error", end + " error"}},
		"one is unknown":    {"{status: passed, items: [{name: a, status: passed}, {name: b, status: unknown}]}", nil, []string{"a pass", "b error", end + " error"}},
		"it says otherwise": {"{status: failed, items: [{name: a, status: passed}]}", nil, []string{"a pass", end + " error"}},
		"nothing":           {"{status: passed}", nil, []string{"!no results"}},
		"the end's name":    {"{status: passed, items: [{name: 'tiny: all results', status: passed}]}", nil, []string{"!calls one of its results"}},
		"shown before":      {"{status: passed, items: [{name: a, status: passed}, {name: b, status: passed}]}", []string{"a"}, []string{"b pass", end + " pass"}},
	} {
		t.Run(name, func(t *testing.T) {
			env := pluginStage(t, "name: tiny\n"+strings.Trim(strings.ReplaceAll(c.results, ", items", "\nitems"), "{}")+"\n")
			env.Shown = c.shown
			suite, err := Find("plugin-tiny")
			if err != nil || !suite.Plugin {
				t.Fatalf("%+v, %v", suite, err)
			}
			var got []string
			err = suite.Run(t.Context(), env, func(c result.Case) {
				if got = append(got, c.Name+" "+c.Outcome.String()); (c.Outcome == result.Pass) != (c.Message == "") {
					t.Errorf("%+v", c)
				}
			})
			refusal, refused := strings.CutPrefix(c.want[0], "!")
			if refused != (err != nil) || err != nil && !strings.Contains(err.Error(), refusal) || err == nil && !slices.Equal(got, c.want) {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
			if _, err := os.Stat(filepath.Join(env.Dir, "sonobuoy_results.yaml")); err != nil {
				t.Error(err)
			}
		})
	}
}

// The plan's definition is what is run, and of the suite that it is for.
func TestPluginOfThePlan(t *testing.T) {
	for text, want := range map[string]string{
		"": "plugin-name", "sonobuoy-config: {driver: Job, plugin-name: other}\nspec: {image: x}\n": "the definition of plugin other",
	} {
		env := sampleEnv(t)
		env.Plugin = text
		if err := plugin("plugin-tiny").Run(t.Context(), env, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if IsPlugin("plugin-") || IsPlugin("conformance") || !IsPlugin("plugin-x") {
		t.Error("what a plugin is called")
	}
	if name, err := PluginName([]byte("sonobuoy-config: {driver: DaemonSet, plugin-name: logs}\nspec: {image: x}\n")); err != nil || name != "plugin-logs" {
		t.Errorf("%q, %v", name, err)
	}
}

// Where nothing shows whose tests ran, Sonobuoy does not run them.
func TestSonobuoyInSomebodysCluster(t *testing.T) {
	s := sonobuoyStage(t)
	s.env.Cluster.Foreign = true
	if got, err := s.run(t.Context(), t, "[sample] passes"); err == nil || !strings.Contains(err.Error(), "--backend pod") || len(got) > 0 {
		t.Errorf("%v, %v", got, err)
	}
	missing := errors.New("there is none")
	s = sonobuoyStage(t)
	s.env.Sonobuoy = func(context.Context) (Image, error) { return Image{}, missing }
	if got, err := s.run(t.Context(), t, "[sample] passes"); !errors.Is(err, missing) || len(got) > 0 {
		t.Errorf("%v, %v", got, err)
	}
}

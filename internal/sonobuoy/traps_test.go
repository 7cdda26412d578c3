package sonobuoy

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"

	"github.com/qualify-dev/qualify/internal/inpod"
)

func settings() map[string]string {
	return map[string]string{"E2E_FOCUS": `\[Conformance\]`, "E2E_SKIP": "", "E2E_PARALLEL": "1", "E2E_EXTRA_ARGS": "--max-nodes-to-gather-from=0"}
}

// planned is the plugin as it stands in what the cluster is given.
func planned(t *testing.T, definition []byte) (string, *work) {
	t.Helper()
	w := &work{Run: Run{Lease: "q-1", Job: "job", Image: "registry.example/sonobuoy:v0.57.5", Kubernetes: "v1.36.3"}}
	var err error
	if w.plugin, err = Parse(definition); err != nil {
		t.Fatal(err)
	}
	objects, err := w.objects()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if o.GetLabels()[inpod.LeaseLabel] != "q-1" {
			t.Errorf("%s %s has no lease", o.GetKind(), o.GetName())
		}
		if o.GetKind() == "ConfigMap" && o.GetName() == "sonobuoy-plugins-cm" {
			data := o.Object["data"].(map[string]any)
			if len(data) != 1 {
				t.Errorf("%d plugins are run", len(data))
			}
			return data["plugin-0.yaml"].(string), w
		}
	}
	t.Fatal("no plugin is planned")
	return "", nil
}

// Trap (a): Sonobuoy's own mode leaves out what is [Disruptive], so that its runs are
// not certifiable. (e): arguments of ours make it forget to tell the progress.
// (g): what it knows of tests ends with v1.30.
func TestTheConformancePluginIsOurs(t *testing.T) {
	definition, err := Conformance("registry.example/conformance:v1.36.3", "w1", settings())
	if err != nil {
		t.Fatal(err)
	}
	text, _ := planned(t, definition)
	var got struct {
		Spec struct {
			Image string
			Env   []struct{ Name, Value string }
		}
		PodSpec struct {
			NodeSelector map[string]string `yaml:"nodeSelector"`
		} `yaml:"podSpec"`
	}
	if err := yaml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, e := range got.Spec.Env {
		env[e.Name] = e.Value
	}
	if env["E2E_FOCUS"] != `\[Conformance\]` || env["E2E_SKIP"] != "" || env["E2E_PARALLEL"] != "1" || strings.Contains(text, "Disruptive") {
		t.Errorf("it selects by %v", env)
	}
	if want := "--max-nodes-to-gather-from=0 --progress-report-url=http://localhost:8099/progress"; env["E2E_EXTRA_ARGS"] != want {
		t.Errorf("its arguments are %q, want %q", env["E2E_EXTRA_ARGS"], want)
	}
	if got.Spec.Image != "registry.example/conformance:v1.36.3" || env["SONOBUOY_K8S_VERSION"] != "v1.36.3" || got.PodSpec.NodeSelector[corev1.LabelHostname] != "w1" {
		t.Errorf("it is\n%s", text)
	}
}

// Trap (h): Sonobuoy can run once in a namespace, and names what is outside of it after it.
func TestEachLeaseHasItsNames(t *testing.T) {
	names := func(lease string) inpod.Made {
		_, w := planned(t, tiny(t))
		w.Lease = lease
		objects, err := w.objects()
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if n := o.GetNamespace(); n != "" && n != lease+"-sonobuoy" {
				t.Errorf("%s %s is in the namespace %q", o.GetKind(), o.GetName(), n)
			}
		}
		return madeOf(objects, lease, w.namespace())
	}
	a, b := names("q-1"), names("q-2")
	if a.Namespace == b.Namespace || len(a.Bindings) != 1 || len(a.Roles) != 1 || a.Bindings[0] == b.Bindings[0] || a.Roles[0] == b.Roles[0] {
		t.Errorf("%+v and %+v", a, b)
	}
}

// Trap (i): results of v0.53.0 and v0.53.1 are not taken by the CNCF.
func TestVersionIsTaken(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`github.com/vmware-tanzu/sonobuoy (v[0-9.]+)`).FindSubmatch(text)
	if found == nil || strings.HasPrefix(string(found[1]), "v0.53.") {
		t.Errorf("the module has Sonobuoy %q", found)
	}
	built, err := os.ReadFile("../release/source/conformance.go")
	if err != nil || !strings.Contains(string(built), `"`+string(found[1])+`"`) {
		t.Errorf("the image is built of another version than %s, %v", found[1], err)
	}
}

func tiny(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/tiny.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestParse(t *testing.T) {
	good := string(tiny(t))
	if p, err := Parse([]byte(good)); err != nil || p.Name != "tiny" || p.Driver != "job" {
		t.Errorf("%+v, %v", p, err)
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"no name":       {"plugin-name: tiny", "plugin-name: ''", "plugin-name"},
		"a bad name":    {"plugin-name: tiny", "plugin-name: Tiny_1", "plugin-name"},
		"no driver":     {"driver: Job", "driver: ''", "neither Job nor DaemonSet"},
		"a bad driver":  {"driver: Job", "driver: CronJob", "neither Job nor DaemonSet"},
		"no image":      {"image: registry.k8s.io/e2e-test-images/agnhost:2.56", "image: ''", "names no image"},
		"no YAML":       {"spec:", "spec: [", "reading the plugin"},
		"two documents": {"spec:\n", "---\nspec:\n", "several documents"},
		"too long":      {"# A", strings.Repeat("#", mostPlugin), "more than"},
	} {
		text := strings.Replace(good, c.from, c.to, 1)
		if text == good {
			t.Fatalf("%s: %q is not in it", name, c.from)
		}
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("sonobuoy-config: {driver: Job, plugin-name: x}\nspec: {image: y}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := Parse([]byte(text)); err == nil && (!pluginName.MatchString(p.Name) || p.def.Spec.Image == "") {
			t.Errorf("%+v", p)
		}
	})
}

// Left to itself, Sonobuoy gives up after six hours; a certified run may take ten.
func TestBudgetIsTold(t *testing.T) {
	for budget, want := range map[time.Duration]string{0: `"timeoutseconds":21600`, 10 * time.Hour: `"timeoutseconds":36000`} {
		_, w := planned(t, tiny(t))
		w.Budget = budget
		objects, err := w.objects()
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, o := range objects {
			if o.GetName() == "sonobuoy-config-cm" {
				found = strings.Contains(fmt.Sprint(o.Object["data"]), want)
			}
		}
		if !found {
			t.Errorf("%s is not told", budget)
		}
	}
}

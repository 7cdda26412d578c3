package suites

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
)

// bootWorld answers as a cluster of sham nodes does, whose kubectl is ours.
type bootWorld struct {
	boots  map[string]int // by node
	token  string
	gone   bool // the namespace
	faults map[string]bool
	order  []string
}

func (w *bootWorld) node(name string, role cluster.Role) cluster.Node {
	n := cluster.Node{Name: name, Role: role, Transport: bootNode{w: w, name: name}}
	n.Restart = func(context.Context) error {
		if w.faults["away"] {
			return errors.New("it does not answer")
		}
		w.order = append(w.order, name)
		if !w.faults["no boot"] {
			w.boots[name]++
		}
		return nil
	}
	return n
}

type bootNode struct {
	cluster.Transport
	w    *bootWorld
	name string
}

func (n bootNode) Exec(_ context.Context, cmd cluster.Cmd) (cluster.Output, error) {
	said, err := n.w.answer(n.name, strings.Join(cmd.Argv, " "), cmd.Stdin)
	return cluster.Output{Stdout: []byte(said)}, err
}

func (w *bootWorld) answer(node, line string, stdin io.Reader) (string, error) {
	after := w.boots["c"]+w.boots["w1"]+w.boots["w2"] > 0
	switch {
	case strings.Contains(line, "boot_id"):
		return fmt.Sprintf("some-id\n%d\n", w.boots[node]), nil
	case strings.Contains(line, " apply "):
		text, err := io.ReadAll(stdin)
		if w.faults["apply"] {
			return "", errors.New("forbidden")
		}
		_, rest, _ := strings.Cut(string(text), "token: ")
		w.token = strings.Trim(strings.Split(rest, "}")[0], `"`)
		return "", err
	case strings.Contains(line, " get pods "):
		of := line[strings.Index(line, "spec.nodeName=")+len("spec.nodeName="):]
		of, _, _ = strings.Cut(of, " ")
		uid, container := "uid", w.boots[of]
		if w.faults["replaced"] && after {
			uid = "another"
		}
		if w.faults["dead container"] {
			container = 0
		}
		return fmt.Sprintf("web-%s %s-%s containerd://%s-%d true", of, uid, of, of, container), nil
	case strings.Contains(line, " get node "):
		if w.faults["not ready"] && after {
			return "Unknown", nil
		}
		return "True", nil
	case strings.Contains(line, " get configmap "):
		if w.faults["state lost"] {
			return "", nil
		}
		return w.token, nil
	case strings.Contains(line, "cat /disk/token"):
		if w.faults["disk lost"] {
			return "", errors.New("cat: can't open '/disk/token'")
		}
		return w.token + "\n", nil
	case strings.Contains(line, "/agnhost connect"):
		if w.faults["no names"] && strings.Contains(line, "kubernetes.default") {
			return "", errors.New("DNS")
		}
		return "", nil
	case strings.Contains(line, "delete namespace"):
		w.gone = true
		return "", nil
	case strings.Contains(line, "> /disk/token"):
		return "", nil
	}
	return "", fmt.Errorf("nobody expected %q", line)
}

func (w *bootWorld) run(t *testing.T, change func(*cluster.Cluster)) (map[string]result.Case, error) {
	t.Helper()
	c := &cluster.Cluster{Nodes: []cluster.Node{w.node("c", cluster.ControlPlane), w.node("w1", cluster.Worker), w.node("w2", cluster.Worker)}}
	if change != nil {
		change(c)
	}
	rel := &release.Release{Components: []release.Component{{Name: "kubernetes", Assets: []release.Asset{{Name: "agnhost-image", Type: release.Image, URI: "registry.example/agnhost:2"}}}}}
	expected, err := reboot().Expect(rel)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]result.Case{}
	err = rebootAll(t.Context(), Env{Cluster: c, Release: rel, Expected: expected}, 20*time.Millisecond, time.Millisecond, func(c result.Case) { cases[c.Name] = c })
	if err == nil && len(cases) != len(expected) {
		t.Errorf("cases %v", cases)
	}
	return cases, err
}

func newBootWorld(faults ...string) *bootWorld {
	w := &bootWorld{boots: map[string]int{}, faults: map[string]bool{}}
	for _, f := range faults {
		w.faults[f] = true
	}
	return w
}

func TestReboot(t *testing.T) {
	w := newBootWorld()
	cases, err := w.run(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		if c.Outcome != result.Pass || c.Log == "" {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if !slices.Equal(w.order, []string{"w1", "w2", "c"}) || !w.gone {
		t.Errorf("booted %v, namespace removed: %v", w.order, w.gone)
	}
}

// Each thing that a node may lose fails its own case, with the node's name.
func TestRebootFails(t *testing.T) {
	for fault, failing := range map[string][]string{
		"replaced": {podsRun}, "state lost": {stateKept}, "disk lost": {diskKept}, "no names": {namesAnswer},
		"not ready":      {workersBoot, controlsBoot, podsRun, diskKept, stateKept, namesAnswer},
		"dead container": {workersBoot, controlsBoot, podsRun, diskKept, stateKept, namesAnswer},
	} {
		t.Run(fault, func(t *testing.T) {
			w := newBootWorld(fault)
			cases, err := w.run(t, nil)
			if err != nil {
				t.Fatal(err)
			}
			for name, c := range cases {
				want := result.Pass
				if slices.Contains(failing, name) {
					want = result.Fail
				}
				if c.Outcome != want || want == result.Fail && !strings.Contains(c.Message, "node ") {
					t.Errorf("%s: %+v", name, c)
				}
			}
		})
	}
}

// Where the suite cannot tell, it says so, and shows no case at all.
func TestRebootCannotTell(t *testing.T) {
	for name, tt := range map[string]struct {
		fault  string
		change func(*cluster.Cluster)
		says   string
	}{
		"a node that does not come back": {"away", nil, "it does not answer"},
		"a boot that was none":           {"no boot", nil, "is in the boot of before"},
		"a cluster that takes nothing":   {"apply", nil, "before anything was booted: forbidden"},
		"nodes that cannot be booted":    {"", func(c *cluster.Cluster) { c.Nodes[1].Restart = nil }, "node w1 cannot be"},
		"a foreign cluster":              {"", func(c *cluster.Cluster) { c.Nodes = nil }, "needs a control plane that it can reach"},
	} {
		t.Run(name, func(t *testing.T) {
			cases, err := newBootWorld(tt.fault).run(t, tt.change)
			if err == nil || !strings.Contains(err.Error(), tt.says) || len(cases) > 0 {
				t.Errorf("cases %v, %v", cases, err)
			}
		})
	}
}

// What is no such node is no pass.
func TestRebootWithoutWorkers(t *testing.T) {
	cases, err := newBootWorld().run(t, func(c *cluster.Cluster) { c.Nodes = c.Nodes[:1] })
	if err != nil || cases[workersBoot].Outcome != result.Skip || cases[controlsBoot].Outcome != result.Pass {
		t.Errorf("%v, %v", cases, err)
	}
}

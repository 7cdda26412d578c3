package suites

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/result"
)

// A suite that runs in a pod is tried again in another, and each file is kept.
func TestPodTriesAgain(t *testing.T) {
	s := podStage(t)
	sample, err := buildSample()
	if err != nil {
		t.Fatal(err)
	}
	const passes, fails = "[sample] passes", "[sample] fails"
	s.env.Expected, s.env.Reruns = []string{passes, fails}, 1
	var got []string
	err = specs{binary: sample, by: pod()}.run(t.Context(), s.env, func(c result.Case) {
		got = append(got, fmt.Sprintf("%s %d %s", c.Name, c.Attempt, c.Outcome))
	})
	slices.Sort(got)
	if want := []string{fails + " 1 fail", fails + " 2 fail", passes + " 1 pass"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for _, name := range []string{"e2e.log", "junit_01.xml", "e2e.try2.log", "junit_01.try2.xml"} {
		if info, err := os.Stat(filepath.Join(s.env.Dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Without the image, or without a way to it, nothing is started.
func TestPodWithoutImage(t *testing.T) {
	s := podStage(t)
	missing := errors.New("there is none")
	s.env.Conformance = func(context.Context) (Image, error) { return Image{}, missing }
	if got, err := s.run(t.Context(), t, "[sample] passes"); !errors.Is(err, missing) || len(got) > 0 {
		t.Errorf("%v and %v", got, err)
	}
}

// The pod runs on a worker, and the image is brought to that one alone.
func TestPodIsPlaced(t *testing.T) {
	at := map[string]bool{}
	node := func(name string, role cluster.Role) cluster.Node {
		return cluster.Node{Name: name, Role: role, Transport: loads{name, at}}
	}
	env := sampleEnv(t)
	env.Cluster.Nodes = []cluster.Node{node("cp", cluster.ControlPlane), node("w1", cluster.Worker), node("w2", cluster.Worker)}
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	which := func(context.Context) (Image, error) { return Image{Ref: "r:1", Digest: "sha256:1", File: file}, nil }
	if _, node, err := env.place(t.Context(), which); err != nil || node != "w1" || len(at) != 1 || !at["w1"] {
		t.Errorf("on %q, %v, loaded on %v", node, err, at)
	}
	env.Cluster.Nodes = env.Cluster.Nodes[:1]
	if _, node, err := env.place(t.Context(), which); err != nil || node != "cp" {
		t.Errorf("alone on %q, %v", node, err)
	}
	env.Cluster.Foreign = true
	if _, node, err := env.place(t.Context(), which); err != nil || node != "" {
		t.Errorf("in somebody's cluster on %q, %v", node, err)
	}
}

// loads is a node that has an image when it was imported.
type loads struct {
	name string
	at   map[string]bool
}

func (l loads) Exec(_ context.Context, c cluster.Cmd) (cluster.Output, error) {
	if slices.Contains(c.Argv, "import") {
		l.at[l.name] = true
	}
	if !l.at[l.name] {
		return cluster.Output{Stdout: []byte("r:1 application/x sha256:0 1 KiB\n")}, nil
	}
	return cluster.Output{Stdout: []byte("r:1 application/x sha256:1 1 KiB\n")}, nil
}
func (loads) Put(context.Context, string, os.FileMode, io.Reader) error { return errors.ErrUnsupported }
func (loads) Get(context.Context, string, io.Writer) error              { return errors.ErrUnsupported }

// What is said of the progress is said once for each tenth.
func TestProgressIsToldNowAndThen(t *testing.T) {
	var said []string
	tell := Env{Say: func(text string) { said = append(said, text) }}.progress(50)
	for n := 1; n <= 51; n++ {
		tell(n)
	}
	if len(said) != 10 || said[0] != "in the cluster, 5 of 50 specs have ended" || said[9] != "in the cluster, 50 of 50 specs have ended" {
		t.Errorf("said %q", said)
	}
	if (Env{}).progress(50) != nil {
		t.Error("to nobody")
	}
}

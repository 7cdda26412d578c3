package fake

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/identity"
	"github.com/qualify-dev/qualify/internal/provision"
)

func TestFirstAnswerThatKnowsSpeaks(t *testing.T) {
	say := func(text string) func(cluster.Cmd) (cluster.Output, error) {
		return func(cluster.Cmd) (cluster.Output, error) { return cluster.Output{Stdout: []byte(text)}, nil }
	}
	p, _ := made(t, Options{Answers: []Answer{
		Script([]string{"uname", "-r"}, say("6.1")), Script([]string{"uname"}, say("Linux")), Script([]string{"uname"}, say("never")),
	}})
	n := up(t, p, lease("q-1")).Nodes[0]
	for cmd, want := range map[string]string{"uname -r": "6.1", "uname -r -s": "6.1", "uname": "Linux", "uname -a": "Linux"} {
		out, err := n.Exec(context.Background(), cluster.Command(strings.Fields(cmd)...))
		if err != nil || string(out.Stdout) != want {
			t.Errorf("%s: %q, %v, want %q", cmd, out.Stdout, err, want)
		}
	}
	_, err := n.Exec(context.Background(), cluster.Command("rm", "-rf", "a b"))
	if err == nil || err.Error() != "fake node: no answer scripted for rm -rf 'a b'" {
		t.Errorf("unknown: %v", err)
	}
}

// A machine of an old name is a new one: it has none of the old one's files,
// and the old handle does not reach it.
func TestMachineOfAnOldNameIsNew(t *testing.T) {
	ctx := context.Background()
	p, cloud := made(t, Options{})
	killed := cloud.files("q-1-worker") // whoever removed it, was killed in it
	if err := os.MkdirAll(killed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := up(t, p, lease("q-1"))
	if err := c.Nodes[1].Get(ctx, "/f", &strings.Builder{}); err == nil {
		t.Error("a machine began with another one's file")
	}
	old := c.Nodes[0]
	if err := old.Put(ctx, "/etc/f", 0o644, strings.NewReader("old")); err != nil {
		t.Fatal(err)
	}
	if err := p.Down(ctx, lease("q-1")); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := up(t, p, lease("q-1")).Nodes[0].Get(ctx, "/etc/f", &b); err == nil {
		t.Errorf("the new machine has %q", b.String())
	}
	wantMisuse(t, cloud, old.Put(ctx, "/etc/f", 0o644, strings.NewReader("old")))
}

// An answer need not watch the context: the node does.
func TestExecDoesNotWaitForAnswers(t *testing.T) {
	release := make(chan struct{})
	p, _ := made(t, Options{Answers: []Answer{Script([]string{"wait"}, func(cluster.Cmd) (cluster.Output, error) {
		<-release
		return cluster.Output{}, nil
	})}})
	defer close(release)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	time.AfterFunc(20*time.Second, func() { release <- struct{}{} })
	start := time.Now()
	_, err := up(t, p, lease("q-1")).Nodes[0].Exec(ctx, cluster.Command("wait"))
	if !errors.Is(err, context.Canceled) || time.Since(start) > 10*time.Second {
		t.Errorf("error %v after %s", err, time.Since(start))
	}
}

func TestAPIOfNoCluster(t *testing.T) {
	dir := t.TempDir()
	server := httptest.NewServer(Cloud{Dir: dir}.API(Release("v1.34.4")))
	defer server.Close()
	p, _ := made(t, Options{Dir: dir})
	up(t, p, lease("q-1"))
	for path, want := range map[string]int{"/q-1/version": 200, "/q-2/version": 503, "/q-2/api/v1/nodes": 503, "/q-1/apis": 404} {
		answer, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Body.Close(); answer.StatusCode != want {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
}

// The fake is enough for identity to be proved, and to be refuted.
func TestIdentity(t *testing.T) {
	rel, other := Release("v1.34.4"), Release("v1.34.5")
	for _, tt := range []struct {
		name        string
		nodes, pods string // the versions that they run
		same        bool
	}{
		{"the release", "v1.34.4", "v1.34.4", true},
		{"other nodes", "v1.34.5", "v1.34.4", false},
		{"other pods", "v1.34.4", "v1.34.5", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			server := httptest.NewServer(Cloud{Dir: dir}.API(Release(tt.pods)))
			defer server.Close()
			p, _ := made(t, Options{Dir: dir, Server: server.URL, Answers: []Answer{Identity(Release(tt.nodes))}})
			c := up(t, p, lease("q-1"))
			got, err := identity.Prover{Arch: "amd64"}.Compare(context.Background(), c, rel)
			if err != nil || len(got.Checked) == 0 || (len(got.Mismatched) == 0) != tt.same {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	if rel.Digest() == other.Digest() {
		t.Error("two releases are one")
	}
}

func TestIdentityOfAnUnknownBinary(t *testing.T) {
	p, _ := made(t, Options{Answers: []Answer{Identity(Release("v1.34.4"))}})
	n := up(t, p, lease("q-1")).Nodes[0]
	_, err := n.Exec(context.Background(), cluster.Command("sha256sum", "/usr/bin/absent"))
	exit, is := err.(*cluster.ExitError)
	if !is || exit.Code != 1 || exit.Node != n.Name || !strings.Contains(err.Error(), "No such file") {
		t.Errorf("absent: %v", err)
	}
	out, err := n.Exec(context.Background(), cluster.Command("sha256sum", "/usr/bin/kubelet"))
	if err != nil || len(strings.Fields(string(out.Stdout))) != 2 {
		t.Errorf("kubelet: %q, %v", out.Stdout, err)
	}
}

func TestListShowsNothingForeign(t *testing.T) {
	o := Options{Dir: t.TempDir()}
	_, cloud := made(t, o)
	for name, l := range map[string]provision.Lease{"ours": lease("q-1"), "foreign": {}, "half": {Run: "run"}} {
		if err := cloud.Add(disk, name, l); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := Entry(o).List(context.Background(), provision.Config{})
	if err != nil || len(listed) != 1 || listed[0].Name != "ours" {
		t.Errorf("listed %+v, %v", listed, err)
	}
}

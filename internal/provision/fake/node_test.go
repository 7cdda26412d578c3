package fake

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

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
	p, _ := made(t, Options{})
	old := up(t, p, lease("q-1")).Nodes[0]
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
	listed, err := Entry(o).List(context.Background())
	if err != nil || len(listed) != 1 || listed[0].Name != "ours" {
		t.Errorf("listed %+v, %v", listed, err)
	}
}

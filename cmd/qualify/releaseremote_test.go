package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
)

// bucket publishes a world's release as eks-d:1-34-1, the latest of its channel.
func bucket(t *testing.T, w *world) string {
	t.Helper()
	rel := *w.rel
	rel.Components = nil
	for _, c := range w.rel.Components {
		assets := c.Assets
		c.Assets = nil
		for _, a := range assets {
			if a.Type == release.Archive {
				a.URI = "https://example.org/" + a.Name // remote manifests may not name local files
			}
			c.Assets = append(c.Assets, a)
		}
		rel.Components = append(rel.Components, c)
	}
	manifest, err := release.Marshal(&rel)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/releasechannels/1-34.yaml":
			fmt.Fprintf(rw, "apiVersion: %s\nkind: ReleaseChannel\nmetadata: {name: 1-34}\nspec: {snsTopicARN: 'arn:aws:sns:x'}\nstatus: {active: true, latestRelease: 1}\n", release.APIVersion)
		case "/kubernetes-1-34/kubernetes-1-34-eks-1.yaml":
			_, _ = rw.Write(manifest)
		default:
			http.NotFound(rw, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestRunOfAPublishedRelease: the latest of a channel is fixed when the plan is
// made, by an address that needs no settings.
func TestRunOfAPublishedRelease(t *testing.T) {
	w := newWorld(t)
	base := bucket(t, w)
	w.env = map[string]string{"QUALIFY_BASE_URL": base}
	said := w.call(context.Background(), "run", "-f", w.file("matrix.yaml"), "--results", w.file("results"), "--release", "eks-d:1-34")
	if said.code != 0 {
		t.Fatalf("code %d: %s%s", said.code, said.stdout, said.stderr)
	}
	plan := w.plan(t)
	if got, want := plan.Sources[w.rel.Digest()], base+"/kubernetes-1-34/kubernetes-1-34-eks-1.yaml"; got != want {
		t.Errorf("the plan has the release from %q, want %q", got, want)
	}
}

func TestPublishedReleases(t *testing.T) {
	w := newWorld(t)
	base := bucket(t, w)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, tc := range []struct {
		args string
		code int
		want string
	}{
		{"show eks-d:1-34 --base-url " + base, 0, "digest      " + w.rel.Digest()},
		{"show " + base + "/kubernetes-1-34/kubernetes-1-34-eks-1.yaml", 0, "name        fake-v1.34.4"},
		{"show eks-d:1-34-2 --base-url " + base, 2, "kubernetes-1-34-eks-2.yaml is not there (HTTP status 404)"},
		{"images eks-d:1-35 --base-url " + base, 2, "releasechannels/1-35.yaml is not there"},
		{"list --online --policy upstream --as-of 2025-10-02 --base-url " + base, 0, "1-34     2025-10-02  eks-d:1-34-1  yes"},
		{"diff eks-d:1-34 " + w.file("release.yaml") + " --base-url " + base, 0, "both are the same release"},
	} {
		said := w.call(context.Background(), append([]string{"release"}, strings.Fields(tc.args)...)...)
		if said.code != tc.code || !strings.Contains(said.stdout+said.stderr, tc.want) {
			t.Errorf("release %s: code %d, want %d with %q:\n%s%s", tc.args, said.code, tc.code, tc.want, said.stdout, said.stderr)
		}
	}
}

// TestVerdictSaysUnbound: an image without a digest that no cluster runs keeps
// no release back, and is named.
func TestVerdictSaysUnbound(t *testing.T) {
	w := newWorld(t)
	extra := release.Asset{Component: "external-attacher", Name: "csi-attacher-image", Type: release.Image, OS: "linux", Arch: []string{"amd64"}, URI: "r.io/csi-attacher:v1"}
	rel := *w.rel
	rel.Components = append(rel.Components, release.Component{Name: "external-attacher", GitTag: "v1", Assets: []release.Asset{extra}})
	w.rel = &rel
	base := bucket(t, w)
	said := w.call(context.Background(), "run", "-f", w.file("matrix.yaml"), "--results", w.file("results"), "--release", "eks-d:1-34-1", "--base-url", base)
	doc := w.verdict(t)
	if said.code != 0 || doc.Verdict != result.Qualified || len(doc.Notes) != 1 || doc.Notes[0].Code != result.NoteUnbound || !strings.Contains(doc.Notes[0].Text, "csi-attacher-image") {
		t.Errorf("code %d, %v, notes %+v\n%s", said.code, doc.Verdict, doc.Notes, said.stderr)
	}
}

func TestBar(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_568_583_978: "1.6 GB", 5_000_000_000_000_000: "5000.0 TB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	began := now()
	b := &bar{out: io.Discard, began: began, files: map[string]transfer{"a": {1000, 4000}, "b": {1000, 1000}, "c": {1000, -1}}, current: "c"}
	if got, want := b.line(began.Add(2e9)), "fetching: 3.0 kB of 6.0 kB, 3 files begun, 2 open, 1.5 kB/s, 2s left: c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var out strings.Builder
	b = &bar{out: &out, began: began, shown: began, files: map[string]transfer{}}
	b.progress("a", 1, 2)
	b.shown = began.Add(-remind)
	b.progress("a", 2, 2)
	_, _ = b.Write([]byte("a remark\n"))
	if lines := strings.Split(out.String(), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "fetching: 2 B of 2 B") || lines[1] != "a remark" {
		t.Errorf("said %q", out.String())
	}
}

// TestBarOnATerminal is one line that is drawn again and taken away, whatever
// assets are called.
func TestBarOnATerminal(t *testing.T) {
	ptm, tty, err := pty.Open()
	if err != nil {
		t.Skipf("this machine gives no terminal: %v", err)
	}
	defer ptm.Close()
	defer tty.Close()
	w := newWorld(t)
	w.env = map[string]string{"TERM": "xterm"}
	b := w.wiring().newBar(tty, false)
	b.shown = b.began.Add(-remind)
	b.progress("evil\x1b[2Jname", 1, 2)
	b.close()
	b.close()
	fmt.Fprint(tty, "end")
	got := ""
	for buffer := make([]byte, 1000); !strings.Contains(got, "end"); {
		n, err := ptm.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		got += string(buffer[:n])
	}
	if !strings.HasPrefix(got, "\r\x1b[Kfetching: 1 B of 2 B") || !strings.HasSuffix(got, "\r\x1b[Kend") || strings.Contains(got, "\x1b[2J") {
		t.Errorf("drawn %q", got)
	}
}

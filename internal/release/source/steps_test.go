package source

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
)

// program writes a shell script in the place of a compiled program.
func program(t *testing.T, script string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "program"), "#!/bin/sh\n"+script, 0o755)
}

// printer is a program that prints a text if it is called with the arguments.
func printer(t *testing.T, text, args string) string {
	t.Helper()
	at := write(t, filepath.Join(t.TempDir(), "text"), text, 0o644)
	return program(t, "test \"$*\" = '"+args+"' || exit 9\necho I0203 a warning >&2\ncat '"+at+"'\n")
}

func TestAskKubeadm(t *testing.T) {
	const args = "config images list --kubernetes-version v1.99.4"
	recorded := read(t, filepath.Join("testdata", "images", "kubeadm.txt"))
	refs, err := askKubeadm(t.Context(), printer(t, recorded, args), "v1.99.4")
	must(t, err)
	want := map[string]string{
		"kube-apiserver":          "registry.example/kube-apiserver:v1.99.4",
		"kube-controller-manager": "registry.example/kube-controller-manager:v1.99.4",
		"kube-scheduler":          "registry.example/kube-scheduler:v1.99.4",
		"kube-proxy":              "registry.example/kube-proxy:v1.99.4",
		"coredns":                 "registry.example/coredns/coredns:v1.12.1",
		"pause":                   "registry.example/pause:3.10.1",
		"etcd":                    "registry.example/etcd:3.6.5-0",
	}
	if !maps.Equal(refs.byName, want) || refs.pause != want["pause"] {
		t.Errorf("got %v", refs)
	}
	if refs.etcdVersion() != "v3.6.5" || refs.corednsVersion() != "v1.12.1" {
		t.Errorf("etcd %s, coredns %s", refs.etcdVersion(), refs.corednsVersion())
	}
	// A list that lacks one of them would give a candidate without it.
	lines := strings.SplitAfter(recorded, "\n")
	for i := range want {
		less := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.Contains(line, "/"+i+":") })
		if _, err := askKubeadm(t.Context(), printer(t, strings.Join(less, ""), args), "v1.99.4"); err == nil || !strings.Contains(err.Error(), "lists no "+i+" image") {
			t.Errorf("without %s: %v", i, err)
		}
	}
}

// What a candidate's program leaves where temporary files go is removed.
func TestAskLeavesNoTemporaryFile(t *testing.T) {
	own := t.TempDir()
	t.Setenv("TMPDIR", own)
	if out, err := ask(t.Context(), program(t, "echo > $TMPDIR/left\nls $TMPDIR\n")); err != nil || out != "left\n" {
		t.Errorf("%q, %v", out, err)
	}
	if left, err := os.ReadDir(own); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestAskE2E(t *testing.T) {
	recorded := read(t, filepath.Join("testdata", "images", "e2e.txt"))
	got, err := askE2E(t.Context(), printer(t, recorded, "--list-images"))
	if err != nil || got != "registry.example/e2e-test-images/agnhost:2.56" {
		t.Errorf("got %q, %v", got, err)
	}
	// Of two the newest is taken, wherever it stands.
	const prev = "registry.example/e2e-test-images/agnhost:2.9\n"
	for _, text := range []string{prev + recorded, recorded + "\n" + prev} {
		if got, err := askE2E(t.Context(), printer(t, text, "--list-images")); err != nil || got != "registry.example/e2e-test-images/agnhost:2.56" {
			t.Errorf("of two: %q, %v", got, err)
		}
	}
	if _, err := askE2E(t.Context(), printer(t, strings.ReplaceAll(recorded, "/e2e-test-images/agnhost:", "/x:"), "--list-images")); err == nil || !strings.Contains(err.Error(), "lists no agnhost image") {
		t.Errorf("without agnhost: %v", err)
	}
}

func TestAskErrors(t *testing.T) {
	if _, err := ask(t.Context(), program(t, "echo first; echo the config is broken >&2; exit 3"), "config", "list"); err == nil ||
		!strings.Contains(err.Error(), "asking program config list: exit status 3: the config is broken") {
		t.Errorf("a failing program: %v", err)
	}
	if _, err := ask(t.Context(), filepath.Join(t.TempDir(), "absent")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("an absent program: %v", err)
	}
}

func TestImageVersions(t *testing.T) {
	for ref, want := range map[string]string{
		"registry.example/etcd:3.6.5-0": "v3.6.5", "registry.example:5000/etcd:3.5.24-1": "v3.5.24", "registry.example/etcd:v3.7.0": "v3.7.0",
	} {
		if got := (imageRefs{byName: map[string]string{"etcd": ref}}).etcdVersion(); got != want {
			t.Errorf("%s: got %s, want %s", ref, got, want)
		}
	}
}

func TestKubernetesVersionFlags(t *testing.T) {
	f := fetched{Version: "v1.34.4", committed: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)}
	golden(t, filepath.Join("testdata", "version-flags.golden"), strings.ReplaceAll(kubernetesVersionFlags(f, f.Version), " -X ", "\n-X ")+"\n")
}

func TestVersionForm(t *testing.T) {
	serve(t, nil) // nothing to build, should a version slip through
	for version, want := range map[string]bool{
		"v1.34.4": true, "v1.9.0": true, "v1.100.10": true,
		"": false, "1.34.4": false, "v1.34": false, "v1.34.": false, "v1.34.04": false, "v1.034.4": false, "v1.0.1": false, "v2.0.0": false,
		"v1.34.4-rc.1": false, "v1.34.4+eks": false, "v1.34.4\n": false, " v1.34.4": false, "latest": false, "v1.34.x": false, "v1.34.4/../x": false,
	} {
		if versionForm.MatchString(version) != want {
			t.Errorf("%q: accepted %v", version, !want)
		}
		if want {
			continue
		}
		if _, err := Build(t.Context(), Options{Version: version, Cache: cache.Cache{Dir: t.TempDir()}}); err == nil || !strings.Contains(err.Error(), "is no Kubernetes version") {
			t.Errorf("%q: %v", version, err)
		}
	}
	// Manifests in the cache name its files: they need their whole paths.
	for _, dir := range []string{"", "cache"} {
		if _, err := Build(t.Context(), Options{Version: "v1.34.4", Cache: cache.Cache{Dir: dir}}); err == nil || !strings.Contains(err.Error(), "no absolute path") {
			t.Errorf("cache in %q: %v", dir, err)
		}
	}
}

func TestCheckReplacements(t *testing.T) {
	dir := t.TempDir()
	own := write(t, filepath.Join(dir, "own"), "own", 0o755)
	link := filepath.Join(dir, "link")
	must(t, os.Symlink(own, link))
	for _, c := range []struct {
		asset, file string
		want        string // "" is accepted
	}{
		{"bin/linux/amd64/kubelet", own, ""},
		{"bin/linux/amd64/kube-proxy", own, ""},
		{"bin/linux/amd64/coredns", own, ""},
		{"bin/linux/amd64/e2e.test", link, ""},
		{"bin/linux/arm64/kubelet", own, "cannot replace"},
		{"kubelet", own, "cannot replace"},
		{"", own, "cannot replace"},
		{"bin/linux/amd64/", own, "cannot replace"},
		{"bin/linux/amd64/../amd64/kubelet", own, "cannot replace"},
		{"bin/linux/amd64/agnhost", own, "cannot replace"},
		{"bin/linux/amd64/kubelet.tar", own, "cannot replace"},
		{"kubelet-image", own, "cannot replace"},
		{"bin/linux/amd64/kubelet", filepath.Join(dir, "absent"), "no such file"},
		{"bin/linux/amd64/kubelet", dir, "not a regular file"},
		{"bin/linux/amd64/kubelet", os.DevNull, "not a regular file"},
	} {
		b := &builder{arch: hostArch, replace: map[string]string{c.asset: c.file}}
		err := b.checkReplacements()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q by %s: got %v, want %q", c.asset, c.file, err, c.want)
		}
	}
	// Refused before anything is fetched.
	serve(t, nil)
	_, err := Build(t.Context(), Options{Version: "v1.34.4", Cache: cache.Cache{Dir: t.TempDir()}, Replace: map[string]string{"kubelet": own}})
	if err == nil || !strings.Contains(err.Error(), "cannot replace") {
		t.Errorf("building with a replacement that takes no effect: %v", err)
	}
}

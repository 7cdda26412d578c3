package release

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parsed(t testing.TB, name string) *Release {
	t.Helper()
	r, err := Parse(name, fixture(t, name), Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func names(assets []Asset) []string {
	var names []string
	for _, a := range assets {
		names = append(names, a.Name)
	}
	return names
}

const apiserver = "kube-apiserver-image"

func TestErasParse(t *testing.T) {
	for _, tc := range []struct {
		file, name, channel string
		number              int
		kubernetes, date    string
		assets              int
		unbound             []string
	}{
		{"era1.yaml", "kubernetes-1-18-eks-1", "1-18", 1, "v1.18.9", "2020-12-02T10:00:00Z", 6,
			[]string{"etcd-image", "pause-image"}},
		{"era2.yaml", "kubernetes-1-20-eks-3", "1-20", 3, "v1.20.4", "2021-06-21T08:30:00Z", 3,
			[]string{"kube-proxy-image", "external-attacher-image"}},
		{"era3.yaml", "kubernetes-1-24-eks-7", "1-24", 7, "v1.24.9", "2023-01-20T00:00:00Z", 5, nil},
		{"era4.yaml", "kubernetes-1-36-eks-7", "1-36", 7, "v1.36.2", "2026-08-18T16:00:00Z", 5,
			[]string{"csi-attacher-image"}},
	} {
		r := parsed(t, tc.file)
		if r.Name != tc.name || r.Channel != tc.channel || r.Number != tc.number || r.Date != tc.date || r.Path != tc.file {
			t.Errorf("%s: got %+v", tc.file, r)
		}
		if got := r.Kubernetes(); got != tc.kubernetes {
			t.Errorf("%s: Kubernetes %s, want %s", tc.file, got, tc.kubernetes)
		}
		if got := len(r.Assets()); got != tc.assets {
			t.Errorf("%s: %d assets, want %d", tc.file, got, tc.assets)
		}
		if got := names(r.Unbound()); !slices.Equal(got, tc.unbound) {
			t.Errorf("%s: unbound %v, want %v", tc.file, got, tc.unbound)
		}
	}
}

func TestEachFieldIsRead(t *testing.T) {
	r := parsed(t, "era1.yaml")
	if !commitForm.MatchString(r.BuildRepoCommit) {
		t.Errorf("BuildRepoCommit %q", r.BuildRepoCommit)
	}
	if c := r.Components[1]; c.Name != "kubernetes" || c.GitTag != "v1.18.9" || len(c.GitCommit) != 40 {
		t.Errorf("component %+v", c)
	}
	got, err := r.Asset("etcd-linux-amd64-v3.4.14.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.SHA256) != 64 || len(got.SHA512) != 128 {
		t.Errorf("digests %q %q", got.SHA256, got.SHA512)
	}
	got.SHA256, got.SHA512 = "", ""
	want := Asset{
		Component: "etcd", Name: "etcd-linux-amd64-v3.4.14.tar.gz", Type: Archive, OS: "linux", Arch: []string{"amd64"},
		Description: "file etcd-linux-amd64-v3.4.14.tar.gz",
		URI:         "https://distro.eks.amazonaws.com/kubernetes-1-18/releases/1/artifacts/etcd/v3.4.14/etcd-linux-amd64-v3.4.14.tar.gz",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	image, err := parsed(t, "era3.yaml").Asset("pause-image")
	if err != nil {
		t.Fatal(err)
	}
	if image.Type != Image || !strings.HasPrefix(image.Digest, "sha256:") || len(image.Digest) != 71 ||
		image.URI != "public.ecr.aws/eks-distro/kubernetes/pause:v1.24.9-eks-1-24-7" || !slices.Equal(image.Arch, []string{"amd64", "arm64"}) {
		t.Errorf("image %+v", image)
	}
	source, err := r.Asset("kubernetes-src.tar.gz")
	if err != nil || source.OS != "" || source.Arch != nil {
		t.Errorf("source tarball %+v, %v", source, err)
	}
}

// badManifests are changes of one thing in a good manifest, with the one
// problem that each must give.
var badManifests = []struct {
	name, old, new string
	asset, want    string
}{
	{"channel", "channel: 1-24", "channel: v1.24", "", `channel "v1.24" is not a channel like 1-34`},
	{"no channel", "  channel: 1-24\n", "", "", "spec has no channel"},
	{"null channel", "channel: 1-24", "channel: null", "", "spec has no channel"},
	{"number zero", "number: 7", "number: 0", "", `number "0" is not a whole number of at least 1`},
	{"number text", "number: 7", `number: "7"`, "", "not a whole number"},
	{"number fraction", "number: 7", "number: 7.5", "", "not a whole number"},
	{"number huge", "number: 7", "number: 99999999999999999999", "", "not a whole number"},
	{"no number", "  number: 7\n", "", "", "spec has no number"},
	{"no date", `  date: "2023-01-20T00:00:00Z"` + "\n", "", "", "status has no date"},
	{"date", "2023-01-20T00:00:00Z", "20 January 2023", "", "is not RFC 3339"},
	{"name", "name: kubernetes-1-24-eks-7", "name: ../../etc", "", `name "../../etc" is not a name`},
	{"no name", "  name: kubernetes-1-24-eks-7\n", "", "", "metadata has no name"},
	{"other number", "number: 7", "number: 8", "", "does not agree with channel 1-24 and number 8"},
	{"other channel", "name: kubernetes-1-24-eks-7", "name: kubernetes-1-25-eks-7", "", "does not agree with channel"},
	{"other Kubernetes", "gitTag: v1.24.9", "gitTag: v1.25.1", "", "does not agree with component kubernetes, which is v1.25.1"},
	{"no version", "gitTag: v1.24.9", "gitTag: main", "", "is not a version like v1.34.4"},
	{"no tag", "    gitTag: v1.24.9\n", "", "", "no component kubernetes with a gitTag"},
	{"no kubernetes", "name: kubernetes\n", "name: kube\n", "", "no component kubernetes"},
	{"git tag", "gitTag: v1.9.3", "gitTag: ../v1.9.3", "", "is not a git tag"},
	{"git commit", "gitCommit: ", "gitCommit: x", "", "is not a git commit"},
	{"component leaves", "name: coredns\n", "name: ../x\n", "", `name "../x" is not a component's name`},
	{"component absolute", "name: coredns\n", "name: /etc\n", "", `name "/etc" is not a component's name`},
	{"component twice", "name: coredns\n", "name: kubernetes\n", "", `component "kubernetes" is listed twice, first in line 11`},
	{"no component name", "    name: coredns\n", "", "", "component has no name"},
	{"asset leaves", "name: " + kubelet, "name: bin/../../kubelet", "", `asset name "bin/../../kubelet" is not a plain relative name`},
	{"asset absolute", "name: " + kubelet, "name: /bin/kubelet", "", "is not a plain relative name"},
	{"asset folder", "name: " + kubelet, "name: bin/linux/", "", "is not a plain relative name"},
	{"asset hidden", "name: " + kubelet, "name: bin/.kubelet", "", "is not a plain relative name"},
	{"asset option", "name: " + kubelet, "name: -rf", "", "is not a plain relative name"},
	{"asset backslash", "name: " + kubelet, `name: bin\..\kubelet`, "", "is not a plain relative name"},
	{"asset long", "name: " + kubelet, "name: " + strings.Repeat("a", 256), "", "longer than 255"},
	{"no asset name", "      name: pause-image\n", "", "", "has no name"},
	{"asset twice", "name: pause-image", "name: " + apiserver, apiserver, "its name is listed twice, first in line 12"},
	{"asset twice elsewhere", "name: coredns-image", "name: " + apiserver, apiserver, "its name is listed twice, first in line 12"},
	{"type", "type: Archive", "type: Tarball", kubelet, `type "Tarball" is not Archive or Image`},
	{"other type", "type: Archive", "type: Image", kubelet, "has type Image but archive fields"},
	{"os", "os: linux\n      type: Archive", "os: plan9\n      type: Archive", kubelet, "is not linux, darwin or windows"},
	{"no arch", "    - arch:\n      - amd64\n      - arm64\n      description: image of kube-apiserver\n", "    - description: image of kube-apiserver\n", apiserver, "image asset has no arch"},
	{"empty arch", "arch:\n      - amd64\n      - arm64\n      description: image of kube-apiserver\n", "arch: []\n      description: x\n", apiserver, "image asset has no arch"},
	{"no arch of file", "arch:\n      - amd64\n      archive:", "archive:", kubelet, "archive asset has no arch"},
	{"arch", "- amd64\n      archive", "- ../amd64\n      archive", kubelet, "not an architecture"},
	{"arch twice", "      - arm64\n      description: image of kube-apiserver", "      - amd64\n      description: image of kube-apiserver", apiserver, "is twice in the list"},
	{"arch not a list", "arch:\n      - amd64\n      - arm64\n      description: image of kube-apiserver", "arch: amd64\n      description: x", apiserver, "is not a list"},
	{"no registry", "uri: public.ecr.aws/eks-distro/kubernetes/kube-apiserver", "uri: /kubernetes/kube-apiserver", apiserver, "has no registry"},
	{"short uri", "uri: public.ecr.aws/eks-distro/kubernetes/kube-apiserver:v1.24.9-eks-1-24-7", "uri: pause", apiserver, "has no registry"},
	{"no tag", "kube-apiserver:v1.24.9-eks-1-24-7", "kube-apiserver", apiserver, "is not registry/repository:tag"},
	{"digest in uri", "kube-apiserver:v1.24.9-eks-1-24-7", "kube-apiserver@sha256:" + strings.Repeat("0", 64), apiserver, "belongs into imageDigest"},
	{"uri leaves", "eks-distro/kubernetes/kube-apiserver", "eks-distro/../kube-apiserver", apiserver, "is not registry/repository:tag"},
	{"scheme", "uri: https:", "uri: ftp:", kubelet, "is neither https, http, file nor a path"},
	{"password", "uri: https://", "uri: https://user:secret@", kubelet, "neither user nor fragment"},
	{"no host", "uri: https://distro.eks.amazonaws.com/", "uri: https:///", kubelet, "wants a host"},
	{"bad uri", "uri: https://distro.eks.amazonaws.com/", "uri: https://%zz/", kubelet, "is not a URI"},
	{"relative file", "uri: https://distro.eks.amazonaws.com/", "uri: file:x/", kubelet, "is not file:/// and an absolute path"},
	{"file of a host", "uri: https://distro.eks.amazonaws.com/", "uri: file://server/", kubelet, "is not file:/// and an absolute path"},
	{"archive no mapping", "archive:\n        sha256", "archive: x\n      also:\n        sha256", kubelet, "archive is not a mapping"},
	{"description", "description: file kubelet", `description: "a\e[31mb"`, kubelet, "has unprintable characters"},
	{"alias", "name: coredns-image", "name: &a coredns-image", "", `has an anchor "a"`},
	{"tag", "name: coredns-image", "name: !!str coredns-image", "", "has a tag"},
	{"key twice", "number: 7\n", "number: 7\n  number: 8\n", "", `has the key "number" twice, first in line 8`},
	{"merge", "number: 7\n", "number: 7\n  <<: {number: 8}\n", "", "has a merge key"},
	{"key not text", "number: 7\n", "number: 7\n  ? [a]\n  : b\n", "", "has a key that is not a plain string"},
	{"two documents", "apiVersion: ", "a: b\n---\napiVersion: ", "", "holds more than one document"},
	{"wrong kind", "kind: Release", "kind: Bundle", "", `is not a Release manifest: it has kind "Bundle"`},
	{"wrong version", "v1alpha1", "v2", "", `of "distro.eks.amazonaws.com/v2"`},
	{"no kind", "kind: Release\n", "", "", "is not a Release manifest: it has no kind"},
	{"tab", "  number: 7", "\tnumber: 7", "", "is not YAML"},
}

func TestBadManifests(t *testing.T) {
	good := string(fixture(t, "era3.yaml"))
	for _, tc := range badManifests {
		t.Run(tc.name, func(t *testing.T) {
			if !strings.Contains(good, tc.old) {
				t.Fatalf("the fixture has no %q", tc.old)
			}
			bad := strings.Replace(good, tc.old, tc.new, 1)
			wantProblem(t, []byte(bad), Options{}, Problem{Asset: tc.asset, Text: tc.want})
		})
	}
}

var withLine = regexp.MustCompile(`^reading manifest: bad\.yaml:[1-9][0-9]*: `)

func wantProblem(t *testing.T, data []byte, opts Options, want Problem) {
	t.Helper()
	r, err := Parse("bad.yaml", data, opts)
	var problems Problems
	if !errors.As(err, &problems) || r != nil {
		t.Fatalf("got %v and error %v, want Problems", r, err)
	}
	if len(problems) != 1 {
		t.Errorf("%d problems, want one clear error: %v", len(problems), err)
	}
	if !strings.Contains(problems[0].Text, want.Text) || problems[0].Asset != want.Asset {
		t.Errorf("got %+v\nwant %+v", problems[0], want)
	}
	if problems[0].Line == 0 || !withLine.MatchString(err.Error()) && len(problems) == 1 {
		t.Errorf("no line in %v", err)
	}
}

func TestDigestsOfWrongForm(t *testing.T) {
	good := string(fixture(t, "era3.yaml"))
	for _, tc := range []struct{ field, asset string }{
		{"imageDigest: sha256:", "kube-apiserver-image"},
		{"sha256: ", "bin/linux/amd64/kubelet"},
		{"sha512: ", "bin/linux/amd64/kubelet"},
	} {
		start := strings.Index(good, "  "+tc.field) + 2 + len(tc.field)
		end := start + strings.Index(good[start:], "\n")
		digest := good[start:end]
		change := func(to string) []byte { return []byte(good[:start] + to + good[end:]) }
		wantProblem(t, change(digest[1:]), Options{}, Problem{Asset: tc.asset, Text: fmt.Sprintf("has %d hex digits, not %d", len(digest)-1, len(digest))})
		wantProblem(t, change(digest+"0"), Options{}, Problem{Asset: tc.asset, Text: fmt.Sprintf("has %d hex digits, not %d", len(digest)+1, len(digest))})
		wantProblem(t, change("g"+digest[1:]), Options{}, Problem{Asset: tc.asset, Text: "is not lower-case hex"})
		wantProblem(t, change("A"+digest[1:]), Options{}, Problem{Asset: tc.asset, Text: "is not lower-case hex"})
	}
	wantProblem(t, []byte(strings.Replace(good, "imageDigest: sha256:", "imageDigest: sha1:", 1)), Options{}, Problem{Asset: "kube-apiserver-image", Text: "does not begin with sha256:"})
}

// TestDigestOfDigitsIsText: without quotes YAML takes these for numbers.
func TestDigestOfDigitsIsText(t *testing.T) {
	data := fixture(t, "era3.yaml")
	digest := regexp.MustCompile(`sha256: [0-9a-f]{64}`)
	for _, number := range []string{strings.Repeat("1", 64), strings.Repeat("1", 10) + "e" + strings.Repeat("2", 53), "0" + strings.Repeat("7", 63)} {
		done := false
		with := digest.ReplaceAllStringFunc(string(data), func(old string) string {
			if done {
				return old
			}
			done = true
			return "sha256: " + number
		})
		r, err := Parse("digits.yaml", []byte(with), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if a, _ := r.Asset("bin/linux/amd64/kubelet"); a.SHA256 != number {
			t.Errorf("got %s, want %s", a.SHA256, number)
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	bad := strings.NewReplacer("number: 7", "number: none", "uri: public.ecr.aws/eks-distro/", "uri: /",
		"type: Archive", "type: File", "2023-01-20", "lately").Replace(string(fixture(t, "era3.yaml")))
	_, err := Parse("bad.yaml", []byte(bad), Options{})
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 7 {
		t.Fatalf("want 7 problems, got %v", err)
	}
	if !slices.IsSortedFunc(problems, func(a, b Problem) int { return a.Line - b.Line }) {
		t.Errorf("not in order of lines: %v", err)
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 8 || lines[0] != "reading manifest: 7 problems" {
		t.Errorf("got %q", err)
	}
}

func TestStrict(t *testing.T) {
	good := string(fixture(t, "era4.yaml"))
	for _, tc := range []struct{ old, new, asset, want string }{
		{"kind: Release\n", "kind: Release\nsigned: true\n", "", `the manifest has an unknown field "signed"`},
		{"metadata:\n", "metadata:\n  owner: me\n", "", `metadata has an unknown field "owner"`},
		{"spec:\n", "spec:\n  stage: beta\n", "", `spec has an unknown field "stage"`},
		{"status:\n", "status:\n  state: ok\n", "", `status has an unknown field "state"`},
		{"    gitTag: v4.9.0\n", "    gitTag: v4.9.0\n    gitBranch: x\n", "", `component has an unknown field "gitBranch"`},
		{"      type: Image\n", "      type: Image\n      size: 3\n", "kube-proxy-image", `has an unknown field "size"`},
		{"      image:\n", "      image:\n        signature: x\n", "kube-proxy-image", `image has an unknown field "signature"`},
		{"      archive:\n", "      archive:\n        md5: x\n", "bin/linux/arm64/kubelet", `archive has an unknown field "md5"`},
	} {
		with := []byte(strings.Replace(good, tc.old, tc.new, 1))
		if _, err := Parse("new.yaml", with, Options{}); err != nil {
			t.Errorf("lenient refuses %q: %v", tc.new, err)
		}
		wantProblem(t, with, Options{Strict: true}, Problem{Asset: tc.asset, Text: tc.want})
	}
}

func TestLocalURIsOnlyInLocalManifests(t *testing.T) {
	for _, local := range []string{"file:///srv/artifacts/", "artifacts/", "/srv/artifacts/", "../artifacts/"} {
		data := []byte(strings.Replace(string(fixture(t, "era3.yaml")),
			"uri: https://distro.eks.amazonaws.com/", "uri: "+local, 1))
		if _, err := Parse("local.yaml", data, Options{}); err != nil {
			t.Errorf("%s: %v", local, err)
		}
		wantProblem(t, data, Options{FromRemote: true}, Problem{Asset: "bin/linux/amd64/kubelet", Text: "was not read from a local path"})
	}
}

func TestInputsThatAreNoManifest(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	for _, tc := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "is empty"},
		{"spaces", []byte(" \n\n "), "is empty"},
		{"comments", []byte("# nothing\n# here\n"), "is empty but for comments"},
		{"null", []byte("---\n"), "it has no fields"},
		{"text", []byte("hello"), "it has no fields"},
		{"list", []byte("- a\n- b\n"), "it has no fields"},
		{"binary", []byte("\x7fELF\x02\x01\x01\x00\x00"), "is not YAML"},
		{"html", []byte("<html><body>404 page: \"not found\"</body></html>"), "is not YAML"},
		{"csv", []byte("hostname,vendor\nserver1,x\n"), "no fields"},
		{"100 MB", bytes.Repeat([]byte("a: b\n"), 20<<20), "has more than 8 MiB"},
		{"just too large", bytes.Repeat([]byte("#"), MaxManifest+1), "has more than 8 MiB"},
		{"bomb", []byte(bomb), "anchors and aliases are refused"},
		{"alias of itself", []byte("a: &a [*a]\n"), "anchors and aliases are refused"},
		{"deep", []byte(strings.Repeat("[", 200000)), "is not YAML"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			start := time.Now()
			_, err := Parse("input", tc.data, Options{})
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
			var problems Problems
			if !errors.As(err, &problems) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// TestTruncatedAnywhere: no beginning of a manifest passes for one.
func TestTruncatedAnywhere(t *testing.T) {
	data := bytes.TrimSpace(fixture(t, "era1.yaml"))
	for n := range len(data) {
		if _, err := Parse("cut.yaml", data[:n], Options{}); err == nil {
			t.Fatalf("the first %d of %d bytes are accepted", n, len(data))
		}
	}
}

func TestProblemTextIsBounded(t *testing.T) {
	items := strings.Repeat("    - name: a\n", 5000)
	data := "apiVersion: " + APIVersion + "\nkind: Release\nmetadata: {name: x}\nspec: {channel: 1-34, number: 1}\nstatus:\n" +
		"  components:\n  - name: " + strings.Repeat("../", 1000) + "\n    assets:\n" + items + "  date: \"2026-01-01T00:00:00Z\"\n"
	_, err := Parse("many.yaml", []byte(data), Options{})
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != maxProblems+1 {
		t.Fatalf("want %d problems and a last word, got %d", maxProblems, len(problems))
	}
	if text := err.Error(); len(text) > 64<<10 || !strings.Contains(text, "more") {
		t.Errorf("text has %d bytes", len(text))
	}
}

func TestParseChannel(t *testing.T) {
	good := string(fixture(t, "channel.yaml"))
	c, err := ParseChannel("channel.yaml", []byte(good), Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	want := Channel{Name: "1-36", SNSTopicARN: "arn:aws:sns:us-east-1:000000000000:new-releases", Active: true, LatestRelease: 7, Path: "channel.yaml"}
	if *c != want {
		t.Errorf("got %+v, want %+v", *c, want)
	}
	c, err = ParseChannel("retired.yaml", []byte(strings.Replace(good, "  active: true\n", "", 1)), Options{})
	if err != nil || c.Active {
		t.Errorf("a channel without active is %+v, %v: want it retired", c, err)
	}
	for _, tc := range []struct{ old, new, want string }{
		{"name: 1-36", "name: latest", "is not a channel like"},
		{"active: true", "active: maybe", "is not true or false"},
		{"latestRelease: 7", "latestRelease: 0", "is not a whole number of at least 1"},
		{"  latestRelease: 7\n", "", "status has no latestRelease"},
		{"arn:aws", "aws", "is not an ARN"},
		{"kind: ReleaseChannel", "kind: Release", "is not a ReleaseChannel manifest"},
	} {
		_, err := ParseChannel("c.yaml", []byte(strings.Replace(good, tc.old, tc.new, 1)), Options{})
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.new, err, tc.want)
		}
	}
}

func TestAssetIsFoundByName(t *testing.T) {
	r := parsed(t, "era3.yaml")
	slices.Reverse(r.Components)
	if a, err := r.Asset("pause-image"); err != nil || a.Component != "kubernetes" {
		t.Errorf("got %+v, %v", a, err)
	}
	if _, err := r.Asset("pause"); err == nil || !strings.Contains(err.Error(), `no asset "pause"`) {
		t.Errorf("got %v", err)
	}
	if got := names(r.Images()); !slices.Equal(got, []string{"coredns-image", "kube-apiserver-image", "pause-image"}) {
		t.Errorf("images %v", got)
	}
}

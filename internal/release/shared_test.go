package release

import (
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sharedData is where published manifests lie beside a checkout of the
// project. They are not part of it.
const sharedData = "../../../shared/data/eksd"

func shared(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(sharedData, pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("no published manifests beside this checkout: %s/%s matches nothing", sharedData, pattern)
	}
	return files
}

// refusedManifests are the files among the published and reconstructed
// manifests that are refused: with how many problems, and what each says.
var refusedManifests = map[string]struct {
	problems int
	want     string
}{
	"releases/kubernetes-1-19-eks-1.yaml":                         {17, "has no registry"},
	"fixtures/EKSD_LATEST_RELEASES.yaml":                          {1, "has no kind"},
	"fixtures/eks-anywhere-version_support.yml":                   {1, "has no kind"},
	"fixtures/eks-anywhere-hardware.csv":                          {1, "has no fields"},
	"fixtures/eks-distro-early-channel-1-18.yaml":                 {1, `has kind "ReleaseChannel"`},
	"fixtures/eks-distro-early-channel-1-19.yaml":                 {1, `has kind "ReleaseChannel"`},
	"fixtures/releasechannel_example.yaml":                        {1, `has kind "ReleaseChannel"`},
	"crds/releases.distro.eks.amazonaws.com-v1alpha1.yaml":        {1, `has kind "CustomResourceDefinition"`},
	"crds/releasechannels.distro.eks.amazonaws.com-v1alpha1.yaml": {1, `has kind "CustomResourceDefinition"`},
}

func TestPublishedManifests(t *testing.T) {
	files := slices.Concat(shared(t, "releases/*"), shared(t, "reconstructed/*"), shared(t, "fixtures/*"), shared(t, "crds/*"))
	accepted, refused := 0, 0
	for _, file := range files {
		name, _ := filepath.Rel(sharedData, file)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, strict := range []bool{false, true} {
			r, err := Parse(file, data, Options{Strict: strict, FromRemote: true})
			want, bad := refusedManifests[name]
			if !bad {
				if err != nil {
					t.Errorf("%s (strict %v): %v", name, strict, err)
					continue
				}
				checkPublished(t, name, data, r)
				continue
			}
			var problems Problems
			if !errors.As(err, &problems) || len(problems) != want.problems {
				t.Errorf("%s (strict %v): want %d problems, got %v", name, strict, want.problems, err)
			}
			for _, p := range problems {
				if !strings.Contains(p.Text, want.want) {
					t.Errorf("%s: %s: want %q", name, p, want.want)
				}
			}
		}
		if _, bad := refusedManifests[name]; bad {
			refused++
		} else {
			accepted++
		}
	}
	if accepted < 35 || refused != len(refusedManifests) {
		t.Errorf("%d accepted, %d of %d refused: is the data complete?", accepted, refused, len(refusedManifests))
	}
}

// checkPublished compares a manifest with the file it was read from: every
// line of the file is written again, whatever the order.
func checkPublished(t *testing.T, name string, data []byte, r *Release) {
	t.Helper()
	out, err := Marshal(r)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if got, want := contentLines(out), contentLines(data); !slices.Equal(got, want) {
		t.Errorf("%s: %d lines are written as %d others", name, len(want), len(got))
	}
	bound := len(r.Assets()) - len(r.Unbound())
	if digests := strings.Count(string(data), "sha256: "); bound != digests {
		t.Errorf("%s: %d assets are bound, %d have a digest", name, bound, digests)
	}
	if base := BaseVersion(r.Kubernetes() + "-eks-" + r.Channel + "-7"); base != r.Kubernetes() {
		t.Errorf("%s: base version %s of %s", name, base, r.Kubernetes())
	}
}

func contentLines(data []byte) []string {
	var lines []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "- ")
		if line != "" && line != "---" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

func TestPublishedChannels(t *testing.T) {
	for _, file := range slices.Concat(shared(t, "releasechannels/*"), shared(t, "releasechannels-reconstructed/*")) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := ParseChannel(file, data, Options{Strict: true})
		if err != nil {
			t.Error(err)
			continue
		}
		if c.Name+".yaml" != filepath.Base(file) || !c.Active || c.LatestRelease < 1 || !strings.HasPrefix(c.SNSTopicARN, "arn:aws:sns:") {
			t.Errorf("%s: %+v", file, c)
		}
	}
}

// buildImages are in the tables but in no manifest: images are built on them.
var buildImages = []string{"go-runner", "kube-proxy-base"}

// TestPublishedTables compares the images of each manifest with the tables in
// the documentation of its release.
func TestPublishedTables(t *testing.T) {
	f, err := os.Open(shared(t, "releases_long.csv")[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, file := range shared(t, "releases/*") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Parse(file, data, Options{})
		if err != nil {
			continue // the table of refused manifests has it
		}
		has := map[string]bool{}
		for _, a := range r.Images() {
			has[a.URI] = true
		}
		for _, row := range rows[1:] {
			if row[0] != r.Channel || row[1] != strconv.Itoa(r.Number) || row[4] == "" || slices.Contains(buildImages, row[2]) {
				continue
			}
			compared++
			if !has[row[4]] {
				t.Errorf("%s: the table of %s has %s, the manifest has not", r.Name, row[2], row[4])
			}
		}
	}
	if compared == 0 {
		t.Error("no release has both a manifest and a table")
	}
}

package release

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), []byte(text))
	}
	return dir
}

func TestParseRef(t *testing.T) {
	dir := folder(t, map[string]string{"a.yaml": "", "source:x": "", "eks-d:1-34": ""})
	t.Chdir(dir)
	for text, want := range map[string]Ref{
		"a.yaml":                     {PathRef, "a.yaml"},
		"./a.yaml":                   {PathRef, "./a.yaml"},
		filepath.Join(dir, "a.yaml"): {PathRef, filepath.Join(dir, "a.yaml")},
		".":                          {DirectoryRef, "."},
		dir:                          {DirectoryRef, dir},
		dir + "/":                    {DirectoryRef, dir + "/"},
		"./source:x":                 {PathRef, "./source:x"},
		"eks-d:1-34":                 {PathRef, "eks-d:1-34"}, // there is a file of that name
		"eks-d:1-34-21":              {NumberRef, "1-34-21"},
		"eks-d:1-35":                 {ChannelRef, "1-35"},
		"https://example.org/a.yaml": {URLRef, "https://example.org/a.yaml"},
		"http://127.0.0.1:1/a.yaml":  {URLRef, "http://127.0.0.1:1/a.yaml"},
		"http://localhost/a.yaml":    {URLRef, "http://localhost/a.yaml"},
		"source:v1.34.4":             {SourceRef, "v1.34.4"},
		"source:v1.37.0-rc.1":        {SourceRef, "v1.37.0-rc.1"},
		"source:v1.37.0-alpha.0":     {SourceRef, "v1.37.0-alpha.0"},
	} {
		got, err := ParseRef(text)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", text, got, err, want)
		}
		if got.String() != text {
			t.Errorf("%s is printed as %s", text, got)
		}
	}
}

func TestUnknownRefs(t *testing.T) {
	t.Chdir(folder(t, map[string]string{"a.yaml": ""}))
	mustDo(t, syscall.Mkfifo("pipe", 0o600))
	for text, want := range map[string]string{
		"":                                "it is empty",
		"solaris":                         "it is unknown",
		"eks-d:":                          "no channel and number",
		"eks-d:1-34-0":                    "no channel and number",
		"eks-d:1-34-21.pre":               "no channel and number",
		"eks-d:v1-34-eks-21":              "no channel and number",
		"eks-d:1-34-../x":                 "no channel and number",
		"ftp://example.org/a.yaml":        "it is unknown",
		"http://example.org/a.yaml":       "not https",
		"http://127.0.0.1.example/a.yaml": "not https",
		"https:///a.yaml":                 "has no host",
		"missing.yaml":                    "no such file or directory",
		"./missing":                       "no such file or directory",
		"a.yaml/b":                        "not a directory",
		"a\x00b":                          "invalid argument",
		"pipe":                            "is not a regular file",
		"source:":                         "no version like v1.34.4",
		"source:1.34.4":                   "no version like v1.34.4",
		"source:v1.34":                    "no version like v1.34.4",
		"source:v1.34.4-eks-1-34-21":      "no version like v1.34.4",
		"source:v1.34.04":                 "no version like v1.34.4",
		"source:../v1.34.4":               "no version like v1.34.4",
		"source:v1.34.4\n":                "no version like v1.34.4",
	} {
		ref, err := ParseRef(text)
		var bad *RefError
		if !errors.As(err, &bad) || ref != (Ref{}) || bad.Ref != text {
			t.Errorf("%q: got %+v, %v; want a RefError", text, ref, err)
			continue
		}
		for _, part := range []string{want, "path of a manifest", "directory that holds one", "source:v1.34.4"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %q has no %q", text, err, part)
			}
		}
	}
}

func TestLoad(t *testing.T) {
	good := string(fixture(t, "era3.yaml"))
	channel := string(fixture(t, "channel.yaml"))
	json := `{"apiVersion": "distro.eks.amazonaws.com/v1alpha1",` + "\n" + ` "kind": "Release",` + "\n" + ` "metadata": {"name": "x"}}`
	for name, tc := range map[string]struct {
		files map[string]string
		want  string // "" for the release
	}{
		"one":                    {map[string]string{"r.yaml": good}, ""},
		"one of other files":     {map[string]string{"r.yml": good, "c.yaml": channel, "kubelet": "ELF", "notes.txt": good}, ""},
		"quotes and CRLF":        {map[string]string{"r.yaml": strings.ReplaceAll(strings.Replace(good, "kind: Release", `kind: "Release" # this`, 1), "\n", "\r\n")}, ""},
		"none":                   {nil, "holds no .yaml, .yml or .json file"},
		"no manifest":            {map[string]string{"c.yaml": channel}, "no manifest of kind Release, only c.yaml"},
		"two":                    {map[string]string{"r1.yaml": good, "r2.yaml": good}, "holds 2 manifests, name one: r1.yaml, r2.yaml"},
		"broken":                 {map[string]string{"r.yaml": good + "\t"}, "is not YAML"},
		"nested kind":            {map[string]string{"r.yaml": good, "x.yaml": "kind: List\nitems:\n- kind: Release\n  kind: Release\n"}, ""},
		"a manifest in JSON":     {map[string]string{"r.json": json}, "the manifest has no spec"},
		"larger than a manifest": {map[string]string{"r.yaml": good + strings.Repeat("#\n", MaxManifest/2)}, "has more than 8 MiB"},
	} {
		dir := folder(t, tc.files)
		mustDo(t, os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o755))
		ref, err := ParseRef(dir)
		mustDo(t, err)
		r, err := Load(ref, Options{})
		if tc.want == "" && (err != nil || r.Name != "kubernetes-1-24-eks-7" || filepath.Dir(r.Path) != dir) {
			t.Errorf("%s: got %+v, %v", name, r, err)
		}
		if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

func TestLoadPath(t *testing.T) {
	path := filepath.Join("testdata", "era1.yaml")
	r, err := Load(Ref{PathRef, path}, Options{Strict: true})
	if err != nil || r.Path != path || r.Number != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := Load(Ref{PathRef, "testdata/none.yaml"}, Options{}); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "reading manifest testdata/none.yaml: ") {
		t.Errorf("got %v", err)
	}
	var bad *RefError
	if _, err := Load(Ref{SourceRef, "v1.34.4"}, Options{}); !errors.As(err, &bad) || bad.Ref != "source:v1.34.4" {
		t.Errorf("got %v", err)
	}
	if _, err := Load(Ref{DirectoryRef, "testdata/none"}, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestLocalManifestOfManyMegabytes is read no further than it is refused.
func TestLocalManifestOfManyMegabytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.yaml")
	f, err := os.Create(path)
	mustDo(t, err)
	mustDo(t, errors.Join(f.Truncate(1<<40), f.Close())) // takes no room
	_, err = Load(Ref{PathRef, path}, Options{})
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(err.Error(), "has more than 8 MiB") {
		t.Errorf("got %v", err)
	}
}

// TestSecretsInURLs: references are recorded with a run.
func TestSecretsInURLs(t *testing.T) {
	for _, text := range []string{"https://me:hunter2@example.org/a.yaml", "https://example.org/a.yaml?sig=hunter2", "https://example.org/a.yaml#hunter2", "http://hunter2@localhost/", "https://me:hunter2@[::1/a.yaml"} {
		if _, err := ParseRef(text); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "give its path") && !strings.Contains(err.Error(), "not a URL") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

package release

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse: whatever the bytes, Parse answers with a release that can be
// written and read again, or with problems. It never does anything else.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, false, false)
		f.Add(bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")), true, true)
	}
	f.Add([]byte(`{"apiVersion":"distro.eks.amazonaws.com/v1alpha1","kind":"Release"}`), true, false)
	f.Add([]byte("a: &a [*a]\n? [x]\n: y\n--- !!binary x\n<<: {}\n"), false, true)
	f.Fuzz(func(t *testing.T, data []byte, strict, remote bool) {
		opts := Options{Strict: strict, FromRemote: remote}
		r, err := Parse("fuzz", data, opts)
		if err != nil {
			wantListed(t, err)
			return
		}
		out, err := Marshal(r)
		if err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		back, err := Parse("fuzz", out, opts)
		if err != nil || back.Digest() != r.Digest() {
			t.Fatalf("reads back as another release: %v", err)
		}
		for _, a := range r.Assets() {
			if !filepath.IsLocal(filepath.FromSlash(a.Name)) {
				t.Fatalf("asset name %q leaves a folder", a.Name)
			}
		}
	})
}

// FuzzParseChannel is the same for channels.
func FuzzParseChannel(f *testing.F) {
	data, err := os.ReadFile("testdata/channel.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseChannel("fuzz", data, Options{})
		if err != nil {
			wantListed(t, err)
		} else if c.LatestRelease < 1 || c.Name == "" {
			t.Fatalf("accepted %+v", c)
		}
	})
}

func wantListed(t *testing.T, err error) {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("error is not a list of problems: %v", err)
	}
	for _, p := range problems {
		if p.File != "fuzz" || p.Text == "" || p.Line < 0 || strings.ContainsAny(p.Asset, "\n\x1b") || strings.ContainsAny(p.Text, "\x1b\x00") {
			t.Fatalf("bad problem %+v", p)
		}
	}
}

package testimages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFetchSource(t *testing.T) {
	const text = "source"
	sum := sha256.Sum256([]byte(text))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good":
			fmt.Fprint(w, text)
		case "/other":
			fmt.Fprint(w, "something else")
		case "/endless":
			block := make([]byte, 1<<20)
			for range 20 {
				_, _ = w.Write(block)
			}
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	for _, c := range []struct {
		places string
		wants  []string // in the error; none where there is none
	}{
		{"/good", nil},
		{"/absent /other /good", nil},
		{"/other", []string{"it has sha256"}},
		{"/absent /endless", []string{"404", "more than"}},
	} {
		var places []string
		for _, p := range strings.Fields(c.places) {
			places = append(places, server.URL+p)
		}
		got, err := fetchSource(context.Background(), server.Client(), places, hex.EncodeToString(sum[:]))
		if c.wants == nil && (err != nil || string(got) != text) {
			t.Errorf("%s: %q, %v", c.places, got, err)
		}
		for _, want := range c.wants {
			if err == nil || !strings.Contains(err.Error(), want) || got != nil {
				t.Errorf("%s: %v, want %q", c.places, err, want)
			}
		}
	}
}

// list is a list of applets as busybox gives it.
func list(more ...string) string {
	lines := append([]string{"linuxrc", "bin/busybox", "bin/sh", "usr/bin/[[", "sbin/init"}, more...)
	for i := range 200 {
		lines = append(lines, fmt.Sprintf("usr/bin/a%d", i))
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestApplets(t *testing.T) {
	if got, err := applets(list()); err != nil || len(got) != 203 || got[0] != "bin/sh" {
		t.Errorf("%d, %v", len(got), err)
	}
	for _, bad := range []string{"../etc/passwd", "bin/../../x", "/bin/x", "etc/passwd", "bin/", "bin/a/b"} {
		if got, err := applets(list(bad)); err == nil {
			t.Errorf("%q: %d places", bad, len(got))
		}
	}
	if _, err := applets("bin/sh\n"); err == nil {
		t.Error("a busybox of one program")
	}
}

func TestBusyboxFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := busyboxFiles(parts{programs: dir}); err == nil {
		t.Error("no list of applets")
	}
	if err := os.WriteFile(filepath.Join(dir, "places"), []byte(list()), 0o644); err != nil {
		t.Fatal(err)
	}
	files, err := busyboxFiles(parts{programs: dir})
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]int{}
	for _, f := range files {
		if f.Link == "/bin/busybox" {
			links[f.Path]++
		}
	}
	for _, place := range []string{"bin/sh", "sbin/init", "bin/init", "usr/bin/a7", "bin/a7"} {
		if links[place] != 1 {
			t.Errorf("%s is there %d times", place, links[place])
		}
	}
}

// The source is looked for at the mirrors of apt first, each once, and upstream
// in any case.
func TestBusyboxPlaces(t *testing.T) {
	tools := t.TempDir()
	script := "#!/bin/sh\nprintf '%s\\n' http://mirror.example/debian/ http://mirror.example/debian cdrom://disc https://other.example/d\n"
	if err := os.WriteFile(filepath.Join(tools, "apt-get"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", tools)
	const file = "/pool/main/b/busybox/busybox_" + busyboxVersion + ".orig.tar.bz2"
	got := busyboxPlaces(t.Context())
	if want := []string{"http://mirror.example/debian" + file, "https://other.example/d" + file}; len(got) != 3 || !slices.Equal(got[:2], want) {
		t.Errorf("places %q", got)
	}
	t.Setenv("PATH", t.TempDir())
	if got := busyboxPlaces(t.Context()); len(got) != 1 {
		t.Errorf("without apt: %q", got)
	}
}

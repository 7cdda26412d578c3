package cache

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestDoFillsNothingThatIsThere(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	fill := func(string) error { return nil }
	first, hit, err := c.Do(context.Background(), "kind", "key", fill)
	if err != nil || hit {
		t.Fatalf("first: hit %v, %v", hit, err)
	}
	// A context that is over and a filling that fails are not even looked at.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	second, hit, err := c.Do(ctx, "kind", "key", func(string) error {
		t.Error("an entry was filled twice")
		return nil
	})
	if err != nil || !hit || second != first {
		t.Errorf("second: %q, hit %v, %v; want %q", second, hit, err, first)
	}
	if want := filepath.Join(c.Dir, "kind", "key"); first != want {
		t.Errorf("the entry is %q, want %q", first, want)
	}
}

func TestDoKeepsEntriesApart(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	seen := map[string]bool{}
	for _, entry := range [][2]string{{"compiled", "a"}, {"compiled", "b"}, {"rootfs", "a"}} {
		dir, hit, err := c.Do(context.Background(), entry[0], entry[1], func(string) error { return nil })
		if err != nil || hit || seen[dir] {
			t.Errorf("%v: %q, hit %v, %v", entry, dir, hit, err)
		}
		seen[dir] = true
	}
}

// A file in the place of an entry is damage: it must not pass for one.
func TestDoRefusesAFileInTheEntrysPlace(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(c.Dir, "kind"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir, "kind", "key"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if dir, _, err := c.Do(context.Background(), "kind", "key", func(string) error { return nil }); err == nil {
		t.Errorf("a file passed for an entry: %q", dir)
	}
}

func TestDoTellsThatTheCacheCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err := Cache{Dir: file}.Do(context.Background(), "kind", "key", func(string) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "making the cache") {
		t.Errorf("error %v", err)
	}
}

func TestDefaultIsTheUsersCache(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/somewhere")
	c, err := Default()
	if err != nil || c.Dir != "/somewhere/qualify" {
		t.Errorf("got %q, %v", c.Dir, err)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "/home/somebody")
	c, err = Default()
	if err != nil || c.Dir != "/home/somebody/.cache/qualify" {
		t.Errorf("got %q, %v", c.Dir, err)
	}
	t.Setenv("HOME", "")
	if _, err = Default(); err == nil || !strings.Contains(err.Error(), "set XDG_CACHE_HOME") {
		t.Errorf("no home: error %v", err)
	}
}

func TestKeyIsADigestOfAllItsParts(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{64}$`)
	seen := map[string]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"a", "b"}, {"b", "a"}, {"a,b"}, {"1:a,"}, {"a", "1:b,"}} {
		key := Key(parts...)
		if !form.MatchString(key) {
			t.Errorf("%q has key %q", parts, key)
		}
		if other, again := seen[key]; again {
			t.Errorf("%q and %s have the same key", parts, other)
		}
		seen[key] = strings.Join(parts, "|")
		if Key(parts...) != key {
			t.Errorf("%q has another key the second time", parts)
		}
	}
}

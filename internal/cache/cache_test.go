package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func TestDoFillsOnceForManyCallers(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	var fills atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			dir, _, err := c.Do(context.Background(), "kind", "key", func(dir string) error {
				fills.Add(1)
				return os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o644)
			})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "f")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := fills.Load(); n != 1 {
		t.Errorf("filled %d times, want 1", n)
	}
}

func TestDoLeavesNoEntryWhenFillFails(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	boom := errors.New("boom")
	_, _, err := c.Do(context.Background(), "kind", "key", func(dir string) error {
		_ = os.WriteFile(filepath.Join(dir, "half"), nil, 0o644)
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v, want %v", err, boom)
	}
	dir, hit, err := c.Do(context.Background(), "kind", "key", func(string) error { return nil })
	if err != nil || hit {
		t.Fatalf("second Do: hit=%v err=%v, want a fresh fill", hit, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "half")); !os.IsNotExist(err) {
		t.Errorf("the failed fill's file is in the entry: %v", err)
	}
}

func TestDoDropsAKilledMakersScratch(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	scratch := filepath.Join(c.Dir, "kind", "key.partial")
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(scratch, "stale"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	dir, _, err := c.Do(context.Background(), "kind", "key", func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "stale")); !os.IsNotExist(err) {
		t.Errorf("a killed maker's file is in the entry: %v", err)
	}
}

func TestKeyFramesItsParts(t *testing.T) {
	if Key("ab", "c") == Key("a", "bc") {
		t.Error("parts run into each other")
	}
}

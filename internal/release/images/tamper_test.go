package images

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/qualify-dev/qualify/internal/release"
)

// TestTampering changes parts of images: in the layout that they come from, in
// the store after they were verified, or in both; a bit, the length, or two
// parts swapped. No changed byte is ever part of an image.
func TestTampering(t *testing.T) {
	t.Parallel()
	rounds := 3000
	if testing.Short() {
		rounds = 100
	}
	w := newWorld(t)
	image, err := w.fetch()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := WriteLayout(dir, []*Image{image}); err != nil {
		t.Fatal(err)
	}
	good := map[string][]byte{}
	for _, part := range image.Parts {
		good[part.Digest.Hex] = read(t, part.Path)
	}
	w.fetcher.Layout, w.fetcher.Offline = dir, true
	rng, refused, healed := rand.New(rand.NewPCG(3, 4)), 0, 0
	for round := range rounds {
		if round%50 == 0 {
			w.fetcher.Store = &release.Store{Dir: t.TempDir()}
			if _, err := w.fetch(); err != nil {
				t.Fatal(err)
			}
		}
		a, b := image.Parts[rng.IntN(len(image.Parts))].Digest.Hex, image.Parts[rng.IntN(len(image.Parts))].Digest.Hex
		bad := spoil(rng, good[a])
		if rng.IntN(4) == 0 && a != b {
			bad = good[b]
		}
		inStore, inLayout := filepath.Join(w.fetcher.Store.Dir, "sha256", a), filepath.Join(dir, "blobs", "sha256", a)
		where := rng.IntN(3)
		if where == 1 {
			os.Remove(inStore) // so that the layout is asked
		} else {
			overwrite(t, inStore, bad)
		}
		if where > 0 {
			overwrite(t, inLayout, bad)
		}
		got, err := w.fetch()
		switch {
		case where == 0 && err != nil:
			t.Fatalf("round %d: the layout has the right bytes: %v", round, err)
		case where > 0 && err == nil:
			t.Fatalf("round %d: wrong bytes of %s passed", round, a)
		case err == nil:
			healed++
			for _, part := range got.Parts {
				if !bytes.Equal(read(t, part.Path), good[part.Digest.Hex]) {
					t.Fatalf("round %d: %s has other bytes", round, part.Path)
				}
			}
		default:
			refused++
			if _, err := os.Lstat(inStore); err == nil {
				t.Fatalf("round %d: refused, but in the store", round)
			}
		}
		overwrite(t, inLayout, good[a])
	}
	t.Logf("%d rounds: %d refused, %d replaced by right ones", rounds, refused, healed)
	if refused == 0 || healed == 0 {
		t.Error("one of the two never happened")
	}
}

func spoil(rng *rand.Rand, data []byte) []byte {
	bad := bytes.Clone(data)
	if rng.IntN(2) == 0 {
		return bad[:rng.IntN(len(bad))]
	}
	bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
	return bad
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func overwrite(t *testing.T, path string, data []byte) {
	t.Helper()
	_ = os.Chmod(path, 0o644)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

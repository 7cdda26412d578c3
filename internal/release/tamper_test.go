package release

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// bench is one source and one store of which each file can be tampered with.
type bench struct {
	t     *testing.T
	src   *source
	store *Store
	rng   *rand.Rand
}

var tampered = []string{"bin/linux/amd64/kubelet", "bin/linux/amd64/kube-proxy.tar", "etcd.tar.gz", "kubernetes-src.tar.gz", "one-byte"}

func newBench(t *testing.T) *bench {
	rng := rand.New(rand.NewPCG(1, 34))
	files := map[string][]byte{}
	for i, name := range tampered {
		files[name] = make([]byte, 1+i*i*17)
		if name == "one-byte" {
			files[name] = files[name][:1]
		}
		for j := range files[name] {
			files[name][j] = byte(rng.Uint32())
		}
	}
	return &bench{t: t, src: newSource(t, files), store: &Store{Dir: t.TempDir()}, rng: rng}
}

// stored is where the store keeps an asset's file.
func (b *bench) stored(name string) string {
	a, err := b.src.release.Asset(name)
	mustDo(b.t, err)
	return filepath.Join(b.store.Dir, "sha256", a.SHA256)
}

// spoil returns other bytes than those given, by one of three tamperings.
func (b *bench) spoil(data []byte) []byte {
	bad := bytes.Clone(data)
	switch b.rng.IntN(3) {
	case 0:
		bad[b.rng.IntN(len(bad))] ^= 1 << b.rng.IntN(8)
	case 1:
		bad = bad[:b.rng.IntN(len(bad))]
	default:
		for range 1 + b.rng.IntN(9) {
			bad = append(bad, byte(b.rng.Uint32()))
		}
	}
	return bad
}

// pick returns the assets to tamper with: one to spoil, or two to swap.
func (b *bench) pick() []string {
	order := b.rng.Perm(len(tampered))
	if b.rng.IntN(4) == 0 {
		return []string{tampered[order[0]], tampered[order[1]]}
	}
	return []string{tampered[order[0]]}
}

// tamper spoils one file or swaps two, and hides what can be hidden.
func (b *bench) tamper(names []string, path func(string) string) {
	first := path(names[0])
	if len(names) == 2 {
		second, aside := path(names[1]), filepath.Join(b.src.dir, "aside")
		mustDo(b.t, os.Rename(first, aside))
		mustDo(b.t, os.Rename(second, first))
		mustDo(b.t, os.Rename(aside, second))
		return
	}
	before, err := os.Stat(first)
	mustDo(b.t, err)
	write(b.t, first, b.spoil(content(b.t, first)))
	mustDo(b.t, os.Chtimes(first, before.ModTime(), before.ModTime()))
	mustDo(b.t, os.Chmod(first, before.Mode()))
}

func (b *bench) restore() {
	for name, data := range b.src.bytes {
		if !bytes.Equal(content(b.t, b.src.path(name)), data) {
			write(b.t, b.src.path(name), data)
		}
	}
}

// refused wants a DigestError for an asset, with its digest and none of its bytes.
func (b *bench) refused(name string) {
	b.t.Helper()
	a, err := b.src.release.Asset(name)
	mustDo(b.t, err)
	path, err := b.store.Fetch(context.Background(), b.src.release, name)
	var wrong *DigestError
	if !errors.As(err, &wrong) || path != "" || wrong.Asset != name || wrong.Want != "sha256:"+a.SHA256 || wrong.Got == wrong.Want {
		b.t.Fatalf("%s: got %q, %v; want a DigestError", name, path, err)
	}
	if _, err := os.Lstat(b.stored(name)); !errors.Is(err, os.ErrNotExist) {
		b.t.Fatalf("%s: refused, but in the store (%v)", name, err)
	}
}

// TestTampering changes bytes ten thousand times: in the source before they are
// fetched, in the store after that, and in both. None of the changed bytes is
// ever returned.
func TestTampering(t *testing.T) {
	t.Parallel()
	rounds := 10_000
	if testing.Short() {
		rounds = 500
	}
	b := newBench(t)
	refused, healed := 0, 0
	for round := range rounds {
		if round%50 == 0 {
			b.store = &Store{Dir: b.store.Dir} // the next process
			mustDo(t, os.RemoveAll(filepath.Join(b.store.Dir, "quarantine")))
		}
		names, inStore, inSource := b.pick(), round%3 != 0, round%3 != 1
		for _, name := range names {
			if inStore {
				fetch(t, b.store, b.src, name)
			} else {
				os.Remove(b.stored(name)) // so that the source is asked
			}
		}
		if inStore {
			b.tamper(names, b.stored)
		}
		if inSource {
			b.tamper(names, b.src.path)
		}
		for _, name := range names {
			if inSource {
				b.refused(name)
				refused++
			} else {
				fetch(t, b.store, b.src, name)
				healed++
			}
		}
		b.restore()
	}
	for _, name := range tampered {
		fetch(t, b.store, b.src, name)
	}
	noLeftovers(t, b.store)
	t.Logf("%d rounds: %d files refused, %d replaced by right ones", rounds, refused, healed)
	if refused+healed < rounds {
		t.Errorf("only %d files in %d rounds", refused+healed, rounds)
	}
}

// Command verify measures how fast a file of the store is verified, beside
// sha256sum and sha512sum over the same file, in turn:
//
//	go run ./bench/verify
//
// The two programs run side by side, as the store's two functions do. Each arm
// is a process of its own, so that its memory can be told. A round more than is
// counted comes first, so that the file is in memory for all.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/qualify-dev/qualify/internal/release"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	size := flags.Int64("bytes", 2_000_000_000, "size of the file")
	rounds := flags.Int("rounds", 5, "runs of each arm")
	dir := flags.String("dir", "", "directory for the file, twice its size (default: a temporary one)")
	store := flags.String("store", "", "for its own use: verify a file of this store")
	source := flags.String("source", "", "for its own use: where the store takes it from")
	digest := flags.String("digest", "", "for its own use: the file's digest")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *store != "" {
		return verify(*store, *source, *digest)
	}
	work, err := os.MkdirTemp(*dir, "qualify-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	b := bench{file: filepath.Join(work, "file"), store: filepath.Join(work, "store"), size: *size}
	if b.digest, err = fill(b.file, *size); err != nil {
		return err
	}
	return b.rounds(out, *rounds)
}

// verify is what a later use of a fetched asset does.
func verify(dir, source, digest string) error {
	_, err := (&release.Store{Dir: dir}).FetchFile(context.Background(), release.Asset{Name: "file", URI: source, SHA256: digest})
	return err
}

type bench struct {
	file, store, digest string
	size                int64
}

// fill makes a file of bytes that compress no better than an archive's do.
func fill(path string, size int64) (string, error) {
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.CopyN(io.MultiWriter(f, h), rand.NewChaCha8([32]byte{34}), size)
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Close())
}

// sample is one run of one arm.
type sample struct {
	seconds float64
	memory  int64 // peak, in bytes; of the larger program where there are two
}

func (b bench) rounds(out io.Writer, n int) error {
	fetched, err := b.timed(b.own())
	if err != nil {
		return err
	}
	// From here on the store has the file, and nothing else is to be read.
	if err := os.Rename(filepath.Join(b.store, "sha256", b.digest), b.file); err != nil {
		return err
	}
	if err := os.Link(b.file, filepath.Join(b.store, "sha256", b.digest)); err != nil {
		return err
	}
	var theirs, ours []sample
	for i := range n + 1 {
		t, err := b.timed(exec.Command("sha256sum", b.file), exec.Command("sha512sum", b.file))
		if err != nil {
			return err
		}
		o, err := b.timed(b.own())
		if err != nil {
			return err
		}
		if i > 0 {
			theirs, ours = append(theirs, t), append(ours, o)
			fmt.Fprintf(out, "round %d: sha256sum and sha512sum %.2f s, verification %.2f s and %.1f MB of memory\n", i, t.seconds, o.seconds, float64(o.memory)/1e6)
		}
	}
	t, o := median(theirs), median(ours)
	fmt.Fprintf(out, "median over %d bytes: %.2f s and %.2f s, speed %.2f of theirs, %.0f MB/s, peak %.1f MB\n",
		b.size, t.seconds, o.seconds, t.seconds/o.seconds, float64(b.size)/1e6/o.seconds, float64(peak(ours))/1e6)
	fmt.Fprintf(out, "first fetch from disk to disk, synced: %.2f s, peak %.1f MB\n", fetched.seconds, float64(fetched.memory)/1e6)
	return nil
}

func (b bench) own() *exec.Cmd {
	return exec.Command(os.Args[0], "-store", b.store, "-source", b.file, "-digest", b.digest)
}

// timed runs commands side by side and waits for all.
func (b bench) timed(commands ...*exec.Cmd) (sample, error) {
	start := time.Now()
	for _, c := range commands {
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			return sample{}, err
		}
	}
	var s sample
	var failed error
	for _, c := range commands {
		failed = errors.Join(failed, c.Wait())
		if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
			s.memory = max(s.memory, usage.Maxrss<<10) // Linux counts in KiB
		}
	}
	s.seconds = time.Since(start).Seconds()
	return s, failed
}

func median(all []sample) sample {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b sample) int {
		if a.seconds < b.seconds {
			return -1
		}
		return 1
	})
	return sorted[len(sorted)/2]
}

func peak(all []sample) int64 {
	most := int64(0)
	for _, s := range all {
		most = max(most, s.memory)
	}
	return most
}

package release

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// chunk is how much is read, hashed and written at a time. Two of them are in
// memory, whatever the size of the file.
const chunk = 256 << 10

// sums are the digests of some bytes, in lower-case hex.
type sums struct{ sha256, sha512 string }

// against compares with what an asset's manifest says, and returns the first
// digest that differs. What the manifest leaves out is not compared.
func (s sums) against(a Asset) (want, got string, same bool) {
	if a.SHA256 != "" && a.SHA256 != s.sha256 {
		return "sha256:" + a.SHA256, "sha256:" + s.sha256, false
	}
	if a.SHA512 != "" && a.SHA512 != s.sha512 {
		return "sha512:" + a.SHA512, "sha512:" + s.sha512, false
	}
	return "", "", true
}

var errTooLarge = errors.New("too many bytes")

// hasher hashes bytes with both functions, in one pass.
type hasher struct {
	h256, h512 hash.Hash
	buffers    [2][]byte
	total      int64
	limit      int64
	progress   func(total int64) // nil: nobody wants to know
}

func newHasher(limit int64) *hasher {
	return &hasher{
		h256: sha256.New(), h512: sha512.New(), limit: limit,
		buffers: [2][]byte{make([]byte, chunk), make([]byte, chunk)},
	}
}

// stream copies src to dst once and returns the digests of what it copied.
func stream(ctx context.Context, dst io.Writer, src io.Reader, limit int64) (sums, error) {
	h := newHasher(limit)
	if err := h.feed(ctx, dst, src); err != nil {
		return sums{}, err
	}
	return h.sums(), nil
}

// feed copies src to dst and hashes what it copies with both functions, side
// by side and while the next chunk is being read: in one thread SHA-256 and
// SHA-512 would take the sum of their times.
func (h *hasher) feed(ctx context.Context, dst io.Writer, src io.Reader) error {
	var hashing sync.WaitGroup
	defer hashing.Wait()
	for i := 0; ; i = 1 - i {
		n, readErr := fill(src, h.buffers[i])
		hashing.Wait()
		b := h.buffers[i][:n]
		if err := ctx.Err(); err != nil {
			return err
		}
		if h.total += int64(n); h.total > h.limit {
			return fmt.Errorf("%w: more than the allowed %d", errTooLarge, h.limit)
		}
		hashing.Go(func() { h.h256.Write(b) })
		hashing.Go(func() { h.h512.Write(b) })
		if _, err := dst.Write(b); err != nil {
			return err
		}
		if h.progress != nil {
			h.progress(h.total)
		}
		if errors.Is(readErr, io.EOF) {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
}

// sums are the digests of all that was fed.
func (h *hasher) sums() sums {
	return sums{hex.EncodeToString(h.h256.Sum(nil)), hex.EncodeToString(h.h512.Sum(nil))}
}

// fill reads until the buffer is full. io.ReadFull will not do: it reports the
// regular end of the last chunk as it reports a stream that was cut off.
func fill(src io.Reader, b []byte) (int, error) {
	n := 0
	for n < len(b) {
		more, err := src.Read(b[n:])
		n += more
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// SHA256 is the digest of a file, in hexadecimal.
func SHA256(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("hashing: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("hashing %s: %w", filepath.Base(file), err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

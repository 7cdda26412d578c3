package release

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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

// stream copies src to dst once and hashes what it copies with both functions,
// side by side and while the next chunk is being read: in one thread SHA-256
// and SHA-512 would take the sum of their times.
func stream(ctx context.Context, dst io.Writer, src io.Reader, limit int64) (sums, error) {
	h256, h512 := sha256.New(), sha512.New()
	buffers := [2][]byte{make([]byte, chunk), make([]byte, chunk)}
	var hashing sync.WaitGroup
	defer hashing.Wait()
	var total int64
	for i := 0; ; i = 1 - i {
		n, readErr := fill(src, buffers[i])
		hashing.Wait()
		b := buffers[i][:n]
		if err := ctx.Err(); err != nil {
			return sums{}, err
		}
		if total += int64(n); total > limit {
			return sums{}, fmt.Errorf("%w: more than the allowed %d", errTooLarge, limit)
		}
		hashing.Go(func() { h256.Write(b) })
		hashing.Go(func() { h512.Write(b) })
		if _, err := dst.Write(b); err != nil {
			return sums{}, err
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			return sums{}, readErr
		}
	}
	hashing.Wait()
	return sums{hex.EncodeToString(h256.Sum(nil)), hex.EncodeToString(h512.Sum(nil))}, nil
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

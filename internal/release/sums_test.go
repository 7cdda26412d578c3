package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/iotest"
)

func TestStream(t *testing.T) {
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 5*chunk + 7} {
		data := bytes.Repeat([]byte("0123456789abcdef!"), size/17+1)[:size]
		h256, h512 := sha256.Sum256(data), sha512.Sum512(data)
		for name, src := range map[string]io.Reader{
			"plain": bytes.NewReader(data), "halves": iotest.HalfReader(bytes.NewReader(data)),
			"data with the end": iotest.DataErrReader(bytes.NewReader(data)),
		} {
			var out bytes.Buffer
			got, err := stream(context.Background(), &out, src, int64(size))
			if err != nil || !bytes.Equal(out.Bytes(), data) || got != (sums{hex.EncodeToString(h256[:]), hex.EncodeToString(h512[:])}) {
				t.Errorf("%d bytes, %s: %v", size, name, err)
			}
		}
	}
	if _, err := stream(context.Background(), failing{}, bytes.NewReader([]byte("x")), 9); err != io.ErrShortWrite {
		t.Errorf("a disk that is full: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// TestStreamMemory: a file of any size costs two buffers.
func TestStreamMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := stream(context.Background(), io.Discard, io.LimitReader(zeros{}, 64<<20), 1<<30); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
		t.Errorf("64 MiB took %d KiB", got>>10)
	}
}

func BenchmarkStream(b *testing.B) {
	const size = 64 << 20
	b.SetBytes(size)
	for b.Loop() {
		if _, err := stream(context.Background(), io.Discard, io.LimitReader(zeros{}, size), size); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSHA256(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, []byte("abc"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := SHA256(file); err != nil || got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := SHA256(file + ".absent"); err == nil || got != "" {
		t.Errorf("of nothing: %q, %v", got, err)
	}
}

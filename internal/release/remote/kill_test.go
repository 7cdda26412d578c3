package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/release"
)

// The test binary is also a process that fetches, and can be killed.
func TestMain(m *testing.M) {
	if url := os.Getenv("QUALIFY_TEST_FETCH"); url != "" {
		os.Exit(fetchOnce(url, os.Getenv("QUALIFY_TEST_STORE"), os.Getenv("QUALIFY_TEST_DIGEST")))
	}
	os.Exit(m.Run())
}

func fetchOnce(url, dir, digest string) int {
	c, err := New("")
	if err != nil {
		return 2
	}
	store := &release.Store{Dir: dir, Open: c.Open}
	path, err := store.FetchFile(context.Background(), release.Asset{Name: asset, URI: url, SHA256: digest})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(path)
	return 0
}

// doomed is a server that kills its client after some bytes.
type doomed struct {
	data   []byte
	after  int64 // bytes of an answer, -1: it lets the client live
	kill   func()
	ranges atomic.Int32 // requests that went on somewhere
	sent   atomic.Int64
}

func (d *doomed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Range") != "" {
		d.ranges.Add(1)
	}
	w.Header().Set("ETag", `"1"`)
	http.ServeContent(&killing{w, d, 0}, r, "", time.Time{}, bytes.NewReader(d.data))
}

type killing struct {
	http.ResponseWriter
	d    *doomed
	sent int64
}

func (k *killing) Write(p []byte) (int, error) {
	if k.d.after >= 0 && k.sent+int64(len(p)) > k.d.after {
		k.ResponseWriter.(http.Flusher).Flush()
		k.d.kill()
		panic(http.ErrAbortHandler)
	}
	n, err := k.ResponseWriter.Write(p)
	k.sent += int64(n)
	k.d.sent.Add(int64(n))
	return n, err
}

// TestKilled kills a fetch with SIGKILL wherever it may be, a hundred times.
// The next one goes on, whatever the killed one left, and what it returns in the
// end are the right bytes.
func TestKilled(t *testing.T) {
	kills := 100
	if testing.Short() {
		kills = 10
	}
	rng := rand.New(rand.NewPCG(1, 9))
	d := &doomed{data: bytes.Repeat(payload, 3)}
	url := serve(t, d.ServeHTTP) + "/etcd.tar.gz"
	sum := sha256.Sum256(d.data)
	digest, dir := hex.EncodeToString(sum[:]), t.TempDir()
	partial := filepath.Join(dir, "partial", digest)
	child := func() (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.Command(os.Args[0])
		out := &bytes.Buffer{}
		cmd.Stdout, cmd.Stderr = out, out
		cmd.Env = append(os.Environ(), "QUALIFY_TEST_FETCH="+url, "QUALIFY_TEST_STORE="+dir, "QUALIFY_TEST_DIGEST="+digest)
		return cmd, out
	}
	finished, spoilt := 0, 0
	for range kills {
		d.after = rng.Int64N(2 << 20)
		cmd, out := child()
		d.kill = func() { _ = cmd.Process.Kill() }
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			// So little was missing that it lived: right, and once more from nothing.
			finished++
			wantFile(t, strings.TrimSpace(out.String()), d.data)
			if err := os.RemoveAll(filepath.Join(dir, "sha256")); err != nil {
				t.Fatal(err)
			}
		} else if state := cmd.ProcessState; state.Exited() {
			t.Fatalf("a fetch failed by itself: %v, %s", err, out)
		}
		if files, _ := os.ReadDir(filepath.Join(dir, "sha256")); len(files) > 0 {
			t.Fatalf("a killed fetch left %v", files)
		}
		if data, err := os.ReadFile(partial); err == nil && rng.IntN(5) == 0 && len(data) > 0 {
			data[rng.IntN(len(data))] ^= 1 // as a power cut does
			spoilt++
			if err := os.WriteFile(partial, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.after = -1
	cmd, out := child()
	if err := cmd.Run(); err != nil {
		t.Fatalf("the last one: %v, %s", err, out)
	}
	wantFile(t, strings.TrimSpace(out.String()), d.data)
	for _, folder := range []string{"partial", "quarantine"} {
		if files, err := os.ReadDir(filepath.Join(dir, folder)); err != nil && !errors.Is(err, os.ErrNotExist) || len(files) > 0 {
			t.Errorf("left in %s: %v, %v", folder, files, err)
		}
	}
	t.Logf("%d kills, %d requests went on, %d fetches lived, %d partial files were spoilt, %d MB sent", kills, d.ranges.Load(), finished, spoilt, d.sent.Load()>>20)
	if d.ranges.Load() == 0 {
		t.Error("nothing was ever resumed")
	}
}

func wantFile(t *testing.T, path string, want []byte) {
	t.Helper()
	if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, want) {
		t.Fatalf("%s: %d bytes, %v", path, len(data), err)
	}
}

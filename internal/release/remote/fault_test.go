package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/release"
)

var payload = func() []byte {
	rng, data := rand.NewChaCha8([32]byte{34}), make([]byte, 3<<20)
	_, _ = rng.Read(data)
	return data
}()

// fault is what a server does at its n-th request, from 1 on.
type fault func(w http.ResponseWriter, r *http.Request, n int)

// right serves the file as a good server does, parts too.
func right(w http.ResponseWriter, r *http.Request, _ int) {
	w.Header().Set("ETag", `"1"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(payload))
}

// cut begins as a good server does, and breaks the connection after some bytes.
func cut(w http.ResponseWriter, r *http.Request, after int) {
	right(&limited{w, after}, r, 0)
}

type limited struct {
	http.ResponseWriter
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		_, _ = l.ResponseWriter.Write(p[:l.left])
		l.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	l.left -= len(p)
	return l.ResponseWriter.Write(p)
}

// first does something at the first requests and is a good server after them.
func first(n int, f fault) fault {
	return func(w http.ResponseWriter, r *http.Request, i int) {
		if i <= n {
			f(w, r, i)
		} else {
			right(w, r, i)
		}
	}
}

func status(code int) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(code) }
}

func hang(w http.ResponseWriter, r *http.Request, _ int) {
	w.Header().Set("Content-Length", strconv.Itoa(len(payload)))
	_, _ = w.Write(payload[:1000])
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// drip sends a byte at a time, which never stalls and never ends.
func drip(w http.ResponseWriter, r *http.Request, _ int) {
	w.Header().Set("Content-Length", strconv.Itoa(len(payload)))
	for i := range payload {
		if _, err := w.Write(payload[i : i+1]); err != nil || r.Context().Err() != nil {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(time.Millisecond):
		}
	}
}

// bench is a release of one asset behind a server that misbehaves.
type bench struct {
	store    *release.Store
	rel      *release.Release
	requests atomic.Int32
}

const asset = "etcd.tar.gz"

func newBench(t *testing.T, f fault) *bench {
	t.Helper()
	b := &bench{}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { f(w, r, int(b.requests.Add(1))) })
	sum := sha256.Sum256(payload)
	b.rel = &release.Release{Name: "r", Components: []release.Component{{Name: "etcd", Assets: []release.Asset{
		{Name: asset, Type: release.Archive, URI: url + "/etcd.tar.gz", SHA256: hex.EncodeToString(sum[:])},
	}}}}
	c := quick(t, "")
	if name := t.Name(); strings.Contains(name, "stall") || strings.Contains(name, "slow") {
		c.stall = time.Second // on a busy machine a good server may be slower: no requests are counted then
	}
	b.store = &release.Store{Dir: t.TempDir(), Open: c.Open, Limit: 16 << 20}
	return b
}

func (b *bench) fetch() (string, error) {
	return b.store.Fetch(context.Background(), b.rel, asset)
}

// TestFaultsThatAreOvercome: the right bytes in the end, and no more requests
// than it takes.
func TestFaultsThatAreOvercome(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault    fault
		requests int32
	}{
		"none":                  {right, 1},
		"503 four times":        {first(4, status(503)), 5},
		"429":                   {first(1, status(429)), 2},
		"408":                   {first(1, status(408)), 2},
		"cut in the middle":     {first(1, func(w http.ResponseWriter, r *http.Request, _ int) { cut(w, r, 1<<20) }), 2},
		"cut before the end":    {first(1, func(w http.ResponseWriter, r *http.Request, _ int) { cut(w, r, len(payload)-1) }), 2},
		"cut at once":           {first(1, func(w http.ResponseWriter, r *http.Request, _ int) { cut(w, r, 0) }), 2},
		"cut ten times":         {first(10, func(w http.ResponseWriter, r *http.Request, _ int) { cut(w, r, 200<<10) }), 11},
		"cut, then no parts":    {first(2, noParts), 2},
		"parts of a megabyte":   {pieces, 3},
		"stall":                 {first(1, hang), 0},
		"slow bytes":            {first(1, drip), 0},
		"cut without a length":  {first(1, chunked), 2},
		"a wrong file once":     {first(1, wrongFile(1)), 2},
		"no length at all":      {noLength, 1},
		"short without warning": {first(1, shortWithoutLength), 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tc.fault)
			path, err := b.fetch()
			if err != nil {
				t.Fatal(err)
			}
			if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, payload) {
				t.Errorf("%d bytes, %v", len(data), err)
			}
			if n := b.requests.Load(); tc.requests > 0 && n != tc.requests {
				t.Errorf("%d requests, want %d", n, tc.requests)
			}
		})
	}
}

// noParts breaks the first answer, and then sends the whole file whatever part
// is asked for.
func noParts(w http.ResponseWriter, r *http.Request, n int) {
	w.Header().Set("ETag", `"1"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(payload)))
	if n == 1 {
		_, _ = (&limited{w, 1 << 20}).Write(payload)
	}
	_, _ = w.Write(payload)
}

func chunked(w http.ResponseWriter, _ *http.Request, _ int) {
	_, _ = (&limited{w, 1 << 20}).Write(payload)
}

func noLength(w http.ResponseWriter, _ *http.Request, _ int) {
	_, _ = w.Write(payload[:1<<20])
	w.(http.Flusher).Flush()
	_, _ = w.Write(payload[1<<20:])
}

// shortWithoutLength ends as if the file did.
func shortWithoutLength(w http.ResponseWriter, _ *http.Request, _ int) {
	_, _ = w.Write(payload[:1<<20])
	w.(http.Flusher).Flush()
}

// wrongFile serves the file with one byte changed, another one at each n.
func wrongFile(same int) fault {
	return func(w http.ResponseWriter, r *http.Request, n int) {
		bad := bytes.Clone(payload)
		bad[len(bad)/2] ^= byte(1 + (n-1)*same)
		w.Header().Set("Content-Length", strconv.Itoa(len(bad)))
		_, _ = w.Write(bad)
	}
}

// TestFaultsThatRemain: a clear error after few requests, nothing in the
// store, and the release is blamed for wrong bytes only that came twice.
func TestFaultsThatRemain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault    fault
		want     string
		requests int32
		blamed   bool
	}{
		"500 for ever":          {status(500), "gave up after 5 failures at byte 0: the server answers 500", 5, false},
		"404":                   {status(404), "is not there (HTTP status 404)", 1, false},
		"403":                   {status(403), "is not there (HTTP status 403)", 1, false},
		"401":                   {status(401), "the server answers 401", 1, false},
		"no content":            {status(204), "the server answers 204", 1, false},
		"stall for ever":        {hang, "stalled", 0, false},
		"slow bytes for ever":   {drip, "stalled", 0, false},
		"cut at once for ever":  {func(w http.ResponseWriter, r *http.Request, _ int) { cut(w, r, 100) }, "gave up after 5 failures", 5, false},
		"wrong length":          {promises(len(payload) + 10), "gave up after", 5, false},
		"endless promise":       {promises(17 << 20), "more than the allowed", 1, false},
		"endless bytes":         {endless, "more than the allowed", 1, false},
		"to http":               {redirect("http://127.0.0.1:1/x"), "only https is followed", 1, false},
		"to a file":             {redirect("file:///etc/passwd"), "only https is followed", 1, false},
		"wrong byte":            {wrongFile(0), "wrong bytes", 2, true},
		"another wrong byte":    {wrongFile(1), "two different files", 2, false},
		"changed while read":    {changing, "changed while it was read", 2, false},
		"of another size":       {growing, "changed while it was read", 2, false},
		"part of somewhere":     {elsewhere, "the server answers 206", 2, false},
		"a page instead":        {page, "wrong bytes", 2, true},
		"nothing at all":        {func(w http.ResponseWriter, _ *http.Request, _ int) {}, "wrong bytes", 2, true},
		"a connection, no HTTP": {noHTTP, "gave up after 5 failures", 5, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tc.fault)
			path, err := b.fetch()
			var wrong *release.DigestError
			if err == nil || path != "" || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), asset) || errors.As(err, &wrong) != tc.blamed {
				t.Errorf("got %q, %v; want %q, blamed %v", path, err, tc.want, tc.blamed)
			}
			if n := b.requests.Load(); tc.requests > 0 && n != tc.requests {
				t.Errorf("%d requests, want %d", n, tc.requests)
			}
			if files, _ := filepath.Glob(filepath.Join(b.store.Dir, "sha256", "*")); len(files) > 0 {
				t.Errorf("in the store: %v", files)
			}
			kept, _ := filepath.Glob(filepath.Join(b.store.Dir, "quarantine", "*"))
			if (len(kept) == 1) != tc.blamed {
				t.Errorf("in quarantine: %v", kept)
			}
		})
	}
}

// promises announces more bytes than there are.
func promises(length int) fault {
	return func(w http.ResponseWriter, r *http.Request, _ int) {
		at := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &at); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, length-1, length))
			w.Header().Set("Content-Length", strconv.Itoa(length-at))
			w.WriteHeader(http.StatusPartialContent)
		} else {
			w.Header().Set("Content-Length", strconv.Itoa(length))
		}
		_, _ = w.Write(payload[min(at, len(payload)):])
	}
}

func endless(w http.ResponseWriter, _ *http.Request, _ int) {
	for {
		if _, err := w.Write(payload); err != nil {
			return
		}
	}
}

func redirect(to string) fault {
	return func(w http.ResponseWriter, r *http.Request, _ int) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

// changing has another version of the file at each request.
func changing(w http.ResponseWriter, r *http.Request, n int) {
	w.Header().Set("ETag", strconv.Quote(strconv.Itoa(n)))
	http.ServeContent(&limited{w, 1 << 20}, r, "", time.Time{}, bytes.NewReader(payload))
}

// pieces breaks the first answer, and from then on serves no more than a
// megabyte at a time, which HTTP allows.
func pieces(w http.ResponseWriter, r *http.Request, n int) {
	at := 0
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &at); err != nil {
		cut(w, r, 1<<20)
	}
	end := min(at+1<<20, len(payload))
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, end-1, len(payload)))
	w.WriteHeader(http.StatusPartialContent)
	_, _ = w.Write(payload[at:end])
}

// growing has a byte more at each request, and no tag that would tell.
func growing(w http.ResponseWriter, r *http.Request, n int) {
	longer := append(bytes.Clone(payload), make([]byte, n)...)
	http.ServeContent(&limited{w, 1 << 20}, r, "", time.Time{}, bytes.NewReader(longer))
}

// elsewhere answers with another part than was asked for.
func elsewhere(w http.ResponseWriter, r *http.Request, n int) {
	if n > 1 {
		r.Header.Set("Range", "bytes=5-")
	}
	cut(w, r, 1<<20)
}

func page(w http.ResponseWriter, _ *http.Request, _ int) {
	_, _ = io.WriteString(w, "<html>log in</html>")
}

func noHTTP(w http.ResponseWriter, _ *http.Request, _ int) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n")
		conn.Close()
	}
}

// TestResume goes on where an earlier process stopped, trusts nothing of what
// that left, and asks for the missing bytes only.
func TestResume(t *testing.T) {
	t.Parallel()
	half := len(payload) / 2
	for name, tc := range map[string]struct {
		left     []byte
		fault    fault
		requests int32
	}{
		"half":                            {payload[:half], right, 1},
		"all but the name":                {payload, right, 1},
		"one byte":                        {payload[:1], right, 1},
		"more than there is":              {append(bytes.Clone(payload), 1, 2, 3), right, 2},
		"of zeros":                        {make([]byte, half), right, 2},
		"of as many zeros":                {make([]byte, len(payload)), right, 2},
		"half, of a server that has none": {payload[:half], noLength, 1},
		"half, and it is cut again":       {payload[:half], first(1, func(w http.ResponseWriter, r *http.Request, _ int) { cut(w, r, 1<<20) }), 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tc.fault)
			dir := filepath.Join(b.store.Dir, "partial")
			if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, b.rel.Assets()[0].SHA256), tc.left, 0o600)); err != nil {
				t.Fatal(err)
			}
			path, err := b.fetch()
			if err != nil {
				t.Fatal(err)
			}
			if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, payload) {
				t.Errorf("%d bytes, %v", len(data), err)
			}
			if n := b.requests.Load(); n != tc.requests {
				t.Errorf("%d requests, want %d", n, tc.requests)
			}
			if files, _ := os.ReadDir(dir); len(files) > 0 {
				t.Errorf("left over: %v", files)
			}
		})
	}
}

// TestRedirectToHTTPS is followed, with its certificate checked.
func TestRedirectToHTTPS(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { right(w, r, 1) }))
	defer secure.Close()
	b := newBench(t, redirect(secure.URL+"/file"))
	if _, err := b.fetch(); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody: %v", err)
	}
	c := quick(t, "")
	c.http.Transport = secure.Client().Transport
	b.store.Open = c.Open
	if _, err := b.fetch(); err != nil {
		t.Error(err)
	}
}

package sink

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/redact/redacttest"
)

const secret = "seven small sardines swim south"

func newSink(t testing.TB) *Sink {
	t.Helper()
	s := New(redact.New())
	if err := s.Add("fish", secret); err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func private(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s has mode %s, want %s", filepath.Base(path), info.Mode().Perm(), want)
	}
}

func TestFiles(t *testing.T) {
	s, dir := newSink(t), t.TempDir()
	path := filepath.Join(dir, "kind.log")
	write := func(open func(string) (io.WriteCloser, error), parts ...string) {
		t.Helper()
		f, err := open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			if n, err := io.WriteString(f, part); err != nil || n != len(part) {
				t.Fatalf("wrote %d of %q: %v", n, part, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(s.Create, "first: seven small sar", "dines swim south\nno newline")
	if got := read(t, path); got != "first: ‹redacted:fish›\nno newline" {
		t.Errorf("created: %q", got)
	}
	private(t, path, 0o600)
	write(s.Append, "\nmore "+secret)
	if got := read(t, path); got != "first: ‹redacted:fish›\nno newline\nmore ‹redacted:fish›" {
		t.Errorf("appended: %q", got)
	}
	write(s.Create, "new\n")
	if got := read(t, path); got != "new\n" {
		t.Errorf("created again: %q", got)
	}
	if _, err := s.Create(filepath.Join(dir, "nowhere", "file")); err == nil || !strings.Contains(err.Error(), "file of the run") {
		t.Errorf("a file in no directory: %v", err)
	}
}

func TestWriteFile(t *testing.T) {
	s, dir := newSink(t), t.TempDir()
	path := filepath.Join(dir, "junit", "cell.xml")
	if err := s.WriteFile(path, []byte("<a>"+secret+"</a>")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "<a>‹redacted:fish›</a>" {
		t.Errorf("got %q", got)
	}
	private(t, path, 0o600)
	private(t, filepath.Dir(path), 0o700)
	if err := s.WriteFile(filepath.Join(path, "x"), nil); err == nil {
		t.Error("a file below a file was written")
	}
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	newSink(t).Logger(&out).Warn("damaged", "name", secret, "err", errors.New("with "+secret))
	if got := out.String(); strings.Count(got, "‹redacted:fish›") != 2 || strings.Contains(got, secret) || !strings.HasSuffix(got, "\n") {
		t.Errorf("got %q", got)
	}
}

// entry is a file in a tar.
type entry struct {
	kind       byte
	name, text string
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Typeflag: e.kind, Name: e.name, Mode: 0o4755, Size: int64(len(e.text)), Uid: 7, Uname: "joe"}
		if e.kind == tar.TypeSymlink || e.kind == tar.TypeLink {
			h.Linkname, h.Size, e.text = e.text, 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// entriesOf reads a tar to its end, and sees that it has one.
func entriesOf(t testing.TB, data []byte) []entry {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(data))
	var all []entry
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("the tar is damaged: %v", err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("the tar is damaged in %s: %v", h.Name, err)
		}
		if h.Mode&^0o700 != 0 || h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s has mode %o and belongs to %d %q", h.Name, h.Mode, h.Uid, h.Uname)
		}
		all = append(all, entry{h.Typeflag, h.Name, string(text)})
	}
}

// throughTar writes a tar into a file, in parts, and returns what stands there.
func throughTar(t testing.TB, s *Sink, data []byte, part int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pods.tar")
	f, err := s.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(data); at += part {
		if _, err := f.Write(data[at:min(at+part, len(data))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func gz(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTarStaysOne(t *testing.T) {
	s := newSink(t)
	long := strings.Repeat("deep/", 60) + "0.log"
	data := tarOf(t,
		entry{tar.TypeDir, "pods/", ""},
		entry{tar.TypeReg, "pods/0.log", "one " + secret + "\ntwo " + secret},
		entry{tar.TypeReg, "pods/" + secret, "named"},
		entry{tar.TypeReg, long, ""},
		entry{tar.TypeReg, "pods/old.log.gz", gz(t, "old "+secret)},
		entry{tar.TypeReg, "pods/broken.gz", gz(t, strings.Repeat("old "+secret+" ", 999))[:40]},
	)
	for _, part := range []int{1, 100, len(data)} {
		got := entriesOf(t, throughTar(t, s, append(data, make([]byte, 3000)...), part))
		want := []entry{
			{tar.TypeDir, "pods/", ""}, {tar.TypeReg, "pods/0.log", "one ‹redacted:fish›\ntwo ‹redacted:fish›"},
			{tar.TypeReg, "pods/‹redacted:fish›", "named"}, {tar.TypeReg, long, ""},
		}
		for i, e := range want {
			if got[i] != e {
				t.Errorf("in parts of %d: entry %d is %q, want %q", part, i, got[i], e)
			}
		}
		for i, want := range map[int]string{4: "old ‹redacted:fish›", 5: "cannot be unpacked"} {
			r, err := gzip.NewReader(strings.NewReader(got[i].text))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil || !strings.Contains(string(text), want) || strings.Contains(string(text), secret) {
				t.Errorf("%s has %.100q, %v", got[i].name, text, err)
			}
		}
	}
}

// What unpacks itself elsewhere is left out.
func TestHostileTars(t *testing.T) {
	data := tarOf(t,
		entry{tar.TypeReg, "../outside", "x"}, entry{tar.TypeReg, "/etc/passwd", "x"}, entry{tar.TypeSymlink, "link", "/etc"},
		entry{tar.TypeLink, "hard", "/etc/passwd"}, entry{tar.TypeFifo, "pipe", ""}, entry{tar.TypeChar, "tty", ""}, entry{tar.TypeDir, "../up/", ""},
		entry{tar.TypeReg, "pods/0.log", "fine"},
	)
	got := entriesOf(t, throughTar(t, newSink(t), data, 512))
	if len(got) != 1 || got[0] != (entry{tar.TypeReg, "pods/0.log", "fine"}) {
		t.Errorf("left are %q", got)
	}
}

// A tar is cut off when a log has no end, and is one all the same.
func TestTarsThatAreCutOff(t *testing.T) {
	s := newSink(t)
	data := tarOf(t, entry{tar.TypeReg, "a", "one " + secret}, entry{tar.TypeReg, "b", strings.Repeat(secret+"\n", 100)})
	within := func(cut, header, text int) bool { return cut > header && cut < header+512+text }
	for cut := 0; cut < len(data)-1024; cut += 100 {
		got := entriesOf(t, throughTar(t, s, data[:cut], 300))
		whole := ""
		for _, e := range got {
			whole += e.text
		}
		if strings.Contains(whole, secret) {
			t.Fatalf("cut at %d it shows %q", cut, whole)
		}
		if (within(cut, 0, 4+len(secret)) || within(cut, 1024, 100*(1+len(secret)))) && got[len(got)-1].name != cutNote {
			t.Errorf("cut at %d it does not say so: %q", cut, got)
		}
	}
	got := entriesOf(t, throughTar(t, s, []byte("this is no tar at all, but "+secret+strings.Repeat(" x", 600)), 99))
	if len(got) != 1 || got[0].name != cutNote || strings.Contains(got[0].text, secret) {
		t.Errorf("no tar became %q", got)
	}
}

func TestLargeFilesInTars(t *testing.T) {
	data := tarOf(t, entry{tar.TypeReg, "large", strings.Repeat("0123456789 abcde\n", (maxEntry+5000)/17)}, entry{tar.TypeReg, "next", secret})
	got := entriesOf(t, throughTar(t, newSink(t), data, 1<<20))
	if len(got) != 2 || len(got[0].text) > maxEntry+200 || !strings.Contains(got[0].text, "the rest was left out") || got[1].text != "‹redacted:fish›" {
		t.Errorf("%d entries, the first with %d bytes", len(got), len(got[0].text))
	}
}

func TestTarPassesErrorsOn(t *testing.T) {
	s := newSink(t)
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := s.tar(full)
	_, err = f.Write(tarOf(t, entry{tar.TypeReg, "a", strings.Repeat("x", 100_000)}))
	if err := errors.Join(err, f.Close()); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v", err)
	}
}

func FuzzTar(f *testing.F) {
	f.Add(tarOf(f, entry{tar.TypeReg, "a", secret}, entry{tar.TypeDir, "b/", ""}, entry{tar.TypeReg, "b/c.gz", gz(f, secret)}))
	f.Add([]byte(secret))
	s := newSink(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		if err := s.redactTar(bytes.NewReader(data), &out); err != nil {
			// A header that cannot be written again; nothing of it may be left.
			if strings.Contains(err.Error(), secret) {
				t.Fatal(err)
			}
			return
		}
		for _, e := range entriesOf(t, out.Bytes()) {
			if strings.Contains(e.text, secret) || strings.Contains(e.name, secret) || !filepath.IsLocal(e.name) {
				t.Fatalf("entry %q", e)
			}
		}
	})
}

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443"}}]
users:
- name: admin
  user: {client-certificate-data: bm90IHNlY3JldA==, client-key-data: %s}
- name: robot
  user: {token: %s, password: %s}
- name: files
  user: {client-key: key.pem, tokenFile: %s}
- name: provider
  user: {auth-provider: {name: oidc, config: {refresh-token: %s, client-id: some-client-id}}}
contexts: []
`

func TestKubeconfig(t *testing.T) {
	dir := t.TempDir()
	canaries := map[string]redacttest.Canary{}
	for _, c := range redacttest.Canaries("kubeconfig") {
		canaries[c.Kind] = c
	}
	key, file, token, robot, refresh := canaries["private-key"].Value, canaries["ssh-private-key"].Value, canaries["token"].Value, canaries["api-key"].Value, canaries["refresh-token"].Value
	password := "swordfish & chips"
	tokenFile := filepath.Join(dir, "token")
	text := fmt.Sprintf(kubeconfig, base64.StdEncoding.EncodeToString([]byte(key)), robot, password, tokenFile, refresh)
	for name, data := range map[string]string{"key.pem": file, "token": token + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, how := range []string{"written", "read"} {
		s, path := New(redact.New()), filepath.Join(dir, how)
		err := s.WriteKubeconfig(path, []byte(text))
		if how == "read" {
			s = New(redact.New())
			err = errors.Join(err, s.Kubeconfig(path))
		}
		if err != nil {
			t.Fatal(err)
		}
		if read(t, path) != text {
			t.Errorf("the one that was %s is %q", how, read(t, path))
		}
		private(t, path, 0o600)
		knowsAll(t, s, map[string]string{"key": key, "key file": file, "token file": token, "token": robot, "refresh token": refresh, "password": password})
	}
}

func knowsAll(t *testing.T, s *Sink, values map[string]string) {
	t.Helper()
	for name, value := range values {
		for _, form := range redacttest.Forms() {
			if got := s.Text(form.Of(value)); redacttest.Shown(got, form.Core(value)) != "" {
				t.Errorf("the %s is shown %s: %q", name, form.Name, got)
			}
		}
	}
	for _, public := range []string{"bm90IHNlY3JldA==", "some-client-id", "https://127.0.0.1:6443"} {
		if s.Text(public) != public {
			t.Errorf("%q was taken for a secret", public)
		}
	}
}

// A kill or a full disk leaves a part of a kubeconfig.
func TestTornKubeconfigs(t *testing.T) {
	canaries := redacttest.Canaries("torn")
	key, token := canaries[7].Value, canaries[9].Value
	text := "apiVersion: v1\nusers:\n- name: a\n  user:\n    client-key-data: " + key + "\n    token: " + token + "\ncurrent-context: a\n"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	for end := 0; end < len(text); end += 7 {
		if err := os.WriteFile(path, []byte(text[:end]), 0o600); err != nil {
			t.Fatal(err)
		}
		s := New(redact.New())
		err := s.Kubeconfig(path)
		left := strings.Index(text, key) + 8
		if short := end > left-8 && end < left || end > strings.Index(text, token) && end < strings.Index(text, token)+8; err != nil && !short {
			t.Fatalf("the first %d bytes: %v", end, err)
		}
		if n := end - strings.Index(text, key); n >= 16 {
			if part := key[:min(n, len(key))]; redacttest.Shown(s.Text("x "+part), part) != "" {
				t.Fatalf("of the first %d bytes the key is shown", end)
			}
		}
	}
	for _, flow := range []string{`users: [{user: {token: ` + token + `, `, `{"users":[{"user":{"token":"` + token + `"`} {
		if err := os.WriteFile(path, []byte(flow), 0o600); err != nil {
			t.Fatal(err)
		}
		s := New(redact.New())
		if err := s.Kubeconfig(path); err != nil || s.Text(token) == token {
			t.Errorf("%s: %v", flow, err)
		}
	}
}

// A secret that is not known would be printed.
func TestKubeconfigsThatCannotBeRegistered(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"a token that is too short": {"users: [{user: {token: fake}}]", "4 bytes"},
		"a file that is not there":  {"users: [{user: {tokenFile: gone}}]", "gone"},
		"no YAML and too short":     {"users: [{user: {token: fake", "4 bytes"},
		"too much":                  {strings.Repeat("#", maxKubeconfig+1), "more than"},
	} {
		path := filepath.Join(t.TempDir(), "kubeconfig")
		if name != "too much" {
			err := New(redact.New()).WriteKubeconfig(path, []byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("writing one with %s: %v", name, err)
			}
			if _, err := os.Stat(path); err == nil {
				t.Errorf("one with %s was written", name)
			}
		}
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := New(redact.New()).Kubeconfig(path)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := New(redact.New()).Kubeconfig(filepath.Join(t.TempDir(), "kubeconfig")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no kubeconfig: %v", err)
	}
}

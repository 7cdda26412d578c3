package redact_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/redact/redacttest"
)

// stream sends a text through a writer, in chunks that end at the given places.
func stream(t fataler, r *redact.Redactor, text string, ends ...int) string {
	var out bytes.Buffer
	w := r.Writer(&out)
	last := 0
	for _, end := range append(ends, len(text)) {
		if end < last {
			continue
		}
		if n, err := w.Write([]byte(text[last:end])); err != nil || n != end-last {
			t.Fatalf("wrote %d of %d bytes: %v", n, end-last, err)
		}
		last = end
	}
	if err := w.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
	return out.String()
}

type fataler interface{ Fatalf(string, ...any) }

// pieces are what generated texts are made of: secrets in every form, what
// almost is one, and the marks of lines and quotes.
func pieces() []string {
	all := []string{
		"\n", "\n", "\n", " ", "\r\n", "\t", "\"", "'", "\\n", "\\", ": ", "=", "password=", "token: ", "--certificate-key ", "certificate key:",
		"-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----", "-----BEGIN ", "Authorization: Bearer ", "://", "a:b@", "eyJ", ".", "abcdef",
		"abcdef.0123456789abcdef", "MIIEpAIBAAKCAQEAwJZbYk3m9Q", "‹redacted:", "‹redacted:token›", "›", "‹", "secret", "login ", "\"auth\":\"", "cookie: ", "x=y; ",
		"6fcba1700148c2df305e134747e3f3975f4557f8dfe695855dfa9d3084dd147a", "kubelet[333]: ", "\xff\x00", "größe", "&", "<", "[", "hunter2", "true",
	}
	for _, c := range redacttest.Canaries("pieces") {
		all = append(all, c.Value, c.Said)
	}
	return all
}

// knownValue is a secret that no pattern finds.
const knownValue = "seven small sardines swim south"

func generated(all []string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(all), 0, 30).Draw(t, "text"), "")
	})
}

// However a text is cut into writes, it comes out as if it were one; and what
// is redacted is left alone, also by who knows of no secret.
func TestPropertyStreamsAndRepetition(t *testing.T) {
	r := knowing(t, "fish", knownValue)
	all := append(pieces(), knownValue, knownValue[3:20], strings.ToUpper(knownValue))
	rapid.Check(t, func(t *rapid.T) {
		text := generated(all).Draw(t, "text")
		whole := r.String(text)
		ends := rapid.SliceOfN(rapid.IntRange(0, len(text)), 0, 8).Draw(t, "ends")
		if got := stream(t, r, text, ends...); got != whole {
			t.Fatalf("%q\nin parts became %q\nas a whole      %q", text, got, whole)
		}
		if again := r.String(whole); again != whole {
			t.Fatalf("%q\nbecame %q\nand then %q", text, whole, again)
		}
		if again := redact.New().String(whole); again != whole {
			t.Fatalf("%q\nbecame %q\nand, by one that knows nothing, %q", text, whole, again)
		}
		if strings.Contains(whole, knownValue) {
			t.Fatalf("%q\nbecame %q", text, whole)
		}
		if strings.Count(whole, "\n") != strings.Count(text, "\n") {
			t.Fatalf("%q\nhas other lines as %q", text, whole)
		}
	})
}

// A secret is found across every place where a write may end.
func TestEveryChunkBoundary(t *testing.T) {
	r := knowing(t, "fish", knownValue)
	for _, c := range redacttest.Canaries("boundaries") {
		said := c.Said
		if len(said) > 400 {
			continue
		}
		text := "before " + said + " and " + knownValue + "\n"
		want := r.String(text)
		for end := range text {
			if got := stream(t, r, text, end); got != want {
				t.Fatalf("%s cut at %d: got %q, want %q", c.Kind, end, got, want)
			}
		}
	}
}

// A line is seen when it is complete: consoles are read by people.
func TestLinesGoOnAtOnce(t *testing.T) {
	var out bytes.Buffer
	w := redact.New().Writer(&out)
	for i, step := range []struct{ write, seen string }{
		{"first", ""}, {" line\nsecond", "first line\n"}, {"\n", "second\n"}, {"a\nb\nc", "a\nb\n"}, {" password=hunter", ""}, {"2\n", "c password=‹redacted:password›\n"},
	} {
		out.Reset()
		if _, err := w.Write([]byte(step.write)); err != nil {
			t.Fatal(err)
		}
		if out.String() != step.seen {
			t.Errorf("after write %d: %q, want %q", i, out.String(), step.seen)
		}
	}
	if _, err := w.Write([]byte("no newline")); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := w.Close(); err != nil || out.String() != "no newline" {
		t.Errorf("closing gave %q, %v", out.String(), err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("a closed writer takes more")
	}
}

// Lines without end use bounded memory, and secrets in them are found wherever
// they are cut.
func TestVeryLongLines(t *testing.T) {
	const value = knownValue
	r := knowing(t, "fish", value)
	filler := strings.Repeat("x y z ", 10_000) // 60 kB
	for shift := range 40 {
		text := filler + filler + filler + strings.Repeat(".", shift*3) + value + " password=hunter2hunter2 " + filler + value + filler + filler + "\nnext\n"
		want := strings.ReplaceAll(strings.ReplaceAll(text, value, "‹redacted:fish›"), "hunter2hunter2", "‹redacted:password›")
		if got := stream(t, r, text, 100_000, 100_001, 300_000); got != want {
			at := 0
			for at < min(len(got), len(want)) && got[at] == want[at] {
				at++
			}
			t.Fatalf("shifted by %d it differs at %d: %.100q, want %.100q", shift*3, at, got[at:], want[at:])
		}
	}
	var longest int
	w := r.Writer(writerFunc(func(p []byte) (int, error) { longest = max(longest, len(p)); return len(p), nil }))
	for range 200 {
		if _, err := w.Write([]byte(filler)); err != nil {
			t.Fatal(err)
		}
	}
	if longest == 0 || longest > 512<<10 {
		t.Errorf("12 MB without a newline went on in pieces of up to %d bytes", longest)
	}
}

// A token that is longer than any secret is left out as a whole.
func TestOversizedTokens(t *testing.T) {
	text := "x password=" + strings.Repeat("abcdefg1", 100_000) + "\nnext\n"
	got := redact.New().String(text)
	if got != "x ‹redacted:oversized›\nnext\n" {
		t.Errorf("got %.200q", got)
	}
	if stream(t, redact.New(), text, 5, 70_000, 400_000) != got {
		t.Error("in parts it is something else")
	}
}

func TestWriterPassesErrorsOn(t *testing.T) {
	full := errors.New("no space left")
	w := redact.New().Writer(writerFunc(func([]byte) (int, error) { return 0, full }))
	if _, err := w.Write([]byte("no line yet")); err != nil {
		t.Errorf("nothing was written, but: %v", err)
	}
	for range 2 {
		if _, err := w.Write([]byte("\n")); !errors.Is(err, full) {
			t.Errorf("error %v", err)
		}
	}
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("closing: %v", err)
	}
	w = redact.New().Writer(writerFunc(func(p []byte) (int, error) { return len(p) - 1, nil }))
	if _, err := w.Write([]byte("line\n")); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a short write is %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func FuzzRedactor(f *testing.F) {
	for _, c := range redacttest.Canaries("fuzz") {
		f.Add(c.Said, 7)
	}
	for _, p := range pieces() {
		f.Add(p+p, 3)
	}
	r := knowing(f, "fish", knownValue)
	f.Fuzz(func(t *testing.T, text string, end int) {
		whole := r.String(text)
		if again := redact.New().String(whole); again != whole {
			t.Fatalf("%q\nbecame %q\nand then %q", text, whole, again)
		}
		if strings.Contains(whole, knownValue) {
			t.Fatalf("%q\nbecame %q", text, whole)
		}
		if end < 0 || end > len(text) {
			end = len(text) / 2
		}
		if got := stream(t, r, text, end); got != whole {
			t.Fatalf("%q\nin parts became %q\nas a whole      %q", text, got, whole)
		}
	})
}

// A line of nothing but beginnings of secrets, as long as one is taken whole,
// takes no longer than others do: a search that goes over it once for each
// beginning would take minutes here.
func TestHostileLines(t *testing.T) {
	units := []string{
		"password=", "password='", `password=\"`, "token=", "token=a1b2c3d4", "authorization=", "auth:[", "Authorization: Bearer ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ",
		"eyJ", "eyJ.", "eyJhdXRocyI6", "LS0tLS1CRUdJTi", "://a:", "://a:b@", "cookie: x=", "login password x ", "sshpass ", "abcdef.", "abcdef.0123456789abcdef", "‹redacted:", "‹redacted:x›",
		"password=‹redacted:x›", "bearer a1", "AKIA", "ghp_", "--certificate-key ", ".", "-", `\`, knownValue, knownValue[:20], "password=,", "clientkeydata:{",
	}
	r := knowing(t, "fish", knownValue)
	for _, unit := range units {
		text := strings.Repeat(unit, 250_000/len(unit))
		if whole := r.String(text); r.String(whole) != whole {
			t.Errorf("a line of %q changes again", unit)
		}
	}
}

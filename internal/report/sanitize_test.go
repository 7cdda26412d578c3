package report

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCleanShowsWhatCannotBeSeen(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"plain":            {"kubelet ready\n\tok", "kubelet ready\n\tok"},
		"words":            {"größe 日本 ✓ 👩‍🚀", "größe 日本 ✓ 👩‍🚀"},
		"colour":           {"\x1b[31mred\x1b[0m", "^[[31mred^[[0m"},
		"title and bell":   {"\x1b]0;owned\x07", "^[]0;owned^G"},
		"nul and delete":   {"a\x00b\x7f", "a^@b^?"},
		"c1 csi":           {"\u009b2J", "<U+009B>2J"},
		"windows lines":    {"a\r\nb\r\n", "a\nb\n"},
		"overwriting line": {"failed\rpassed", "failed^Mpassed"},
		"bidi override":    {"\u202edessap", "<U+202E>dessap"},
		"bidi isolate":     {"a\u2066b\u2069", "a<U+2066>b<U+2069>"},
		"shaping control":  {"a\u206bb\u206f", "a<U+206B>b<U+206F>"},
		"line separator":   {"a\u2028::error::b", "a<U+2028>::error::b"},
		"tag characters":   {"a\U000e0041b", "a<U+E0041>b"},
		"broken utf-8":     {"a\xffb\xc3", "a\ufffdb\ufffd"},
		"surrogate bytes":  {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
		"noncharacter":     {"a\uffffb", "a<U+FFFF>b"},
	} {
		if got := Clean(tc.in); got != tc.want {
			t.Errorf("%s: Clean(%q) = %q, want %q", name, tc.in, got, tc.want)
		}
	}
}

func TestConsoleBreaksCommandsOfCISystems(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"plain":             {"pod::ready ## heading", "pod::ready ## heading"},
		"github":            {"::error::gone", ": :error::gone"},
		"github indented":   {"ok\n  \u00a0::add-mask::x", "ok\n  \u00a0: :add-mask::x"},
		"three colons":      {":::x", ": ::x"},
		"github old style":  {"##[error]x", "# #[error]x"},
		"azure":             {"##vso[task.complete result=Succeeded;]", "# #vso[task.complete result=Succeeded;]"},
		"azure inside line": {"time ##VSO[task.complete]", "time # #VSO[task.complete]"},
		"teamcity":          {"##teamcity[buildStatus status='SUCCESS']", "# #teamcity[buildStatus status='SUCCESS']"},
		"three hashes":      {"###[error]x", "## #[error]x"},
		"hidden by return":  {"\r::error::x", "^M::error::x"},
	} {
		if got := Console(tc.in); got != tc.want {
			t.Errorf("%s: Console(%q) = %q, want %q", name, tc.in, got, tc.want)
		}
	}
}

func FuzzConsole(f *testing.F) {
	for _, s := range []string{"", "::error::x", " \t::x", "##vso[x]", "##TeamCity[x", "\x1b[2J", "\u202e", "\xff\xfe", "a\r\nb", "\ufeff::x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if wrong := unfit(Console(in)); wrong != "" {
			t.Fatalf("%q became %q: %s", in, Console(in), wrong)
		}
	})
}

// unfit says what of a text somebody would obey. It is written out once more:
// what Clean overlooks must not be overlooked here.
func unfit(text string) string {
	if !utf8.ValidString(text) {
		return "it is not UTF-8"
	}
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t':
		case unicode.IsControl(r): // C0, DEL and C1
			return fmt.Sprintf("it has the control character %U", r)
		case unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return fmt.Sprintf("it has %U", r)
		}
	}
	for line := range strings.Lines(text) {
		line = strings.ToLower(line)
		start := strings.TrimLeft(line, " \t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u202f\u205f\u2060\u3000\ufeff")
		if strings.HasPrefix(start, "::") || strings.Contains(line, "##vso[") || strings.Contains(line, "##teamcity[") || strings.Contains(line, "##[") {
			return fmt.Sprintf("%q is a command to a CI system", line)
		}
	}
	if again := Console(text); again != text {
		return fmt.Sprintf("a second time it becomes %q", again)
	}
	return ""
}

// Whatever a cluster says, no terminal and no CI system obeys it; and JSON of
// it is still the same value.
func TestPropertyNobodyObeys(t *testing.T) {
	pieces := []string{
		"::", ":", "#", "##", "##vso[", "##VSO[", "##teamcity[", "##[", "[", "::error::", "::stop-commands::x", "\n", "\r", "\r\n", " ", "\t", "\u00a0", "\ufeff", "\u200b",
		"\x1b[2J", "\x1b]0;t\x07", "\x1bP", "\u009b", "\u0085", "\x00", "\x7f", "\x9b", "\xff", "\u202e", "\u2066", "\u200f", "\u061c", "\u2028", "\v", "\f", "\b", "\U000e0041", "a", "größe",
	}
	piece := rapid.OneOf(rapid.SampledFrom(pieces), rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		in := strings.Join(rapid.SliceOf(piece).Draw(t, "text"), "")
		if wrong := unfit(Console(in)); wrong != "" {
			t.Fatalf("%q became %q: %s", in, Console(in), wrong)
		}
		var out strings.Builder
		value := []string{in, strings.ToValidUTF8(in, "?")}
		if err := EncodeJSON(&out, value); err != nil {
			t.Fatal(err)
		}
		if wrong := unfit(out.String()); wrong != "" {
			t.Fatalf("%q became %q: %s", in, out.String(), wrong)
		}
		var back []string
		if err := json.Unmarshal([]byte(out.String()), &back); err != nil || back[1] != value[1] {
			t.Fatalf("%q came back as %q: %v", value[1], back, err)
		}
	})
}

// A line of nothing but markers takes no longer than others.
func TestManyMarkers(t *testing.T) {
	text := strings.Repeat("##[", 500_000)
	if got := Console(text); got != strings.Repeat("# #[", 500_000) {
		t.Errorf("got %.60q", got)
	}
}

func TestCutting(t *testing.T) {
	long := strings.Repeat("ä", 1000)
	got := cutEnd(long, 101)
	if len(got) > 101 || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
		t.Errorf("cutEnd gave %d bytes: %q", len(got), got)
	}
	if got := cutEnd("short", 5); got != "short" {
		t.Errorf("cutEnd changed text that fits: %q", got)
	}
	got = excerpt("FIRST"+long+"LAST", 400)
	if !strings.HasPrefix(got, "FIRST") || !strings.HasSuffix(got, "LAST") || !strings.Contains(got, "bytes left out") {
		t.Errorf("excerpt lost an end: %q", got)
	}
	if !utf8.ValidString(got) || len(got) > 450 {
		t.Errorf("excerpt gave %d bytes, valid %v", len(got), utf8.ValidString(got))
	}
	if got := firstLine("\n  \n  cause: x \nmore", 80); got != "cause: x" {
		t.Errorf("firstLine = %q", got)
	}
}

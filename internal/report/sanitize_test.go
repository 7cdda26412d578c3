package report

import (
	"strings"
	"testing"
	"unicode/utf8"
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
		out := Console(in)
		if !utf8.ValidString(out) {
			t.Fatalf("not UTF-8: %q", out)
		}
		for _, r := range out {
			if isUnclean(r) {
				t.Fatalf("%q left %U in %q", in, r, out)
			}
		}
		for _, l := range strings.Split(out, "\n") {
			l = strings.ToLower(l)
			if strings.HasPrefix(strings.TrimLeftFunc(l, isBlank), "::") || strings.Contains(l, "##vso[") ||
				strings.Contains(l, "##teamcity[") || strings.Contains(l, "##[") {
				t.Fatalf("%q left a CI command in %q", in, out)
			}
		}
		if again := Console(out); again != out {
			t.Fatalf("not stable: %q then %q", out, again)
		}
	})
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

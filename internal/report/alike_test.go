package report

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/internal/result"
)

// Messages of the same failure have the same signature; others do not.
func TestSignature(t *testing.T) {
	for want, messages := range map[string][]string{
		`timed out after <duration> waiting for pod "pod-<uuid>" in namespace "pods-<n>"`: {
			`timed out after 300.001s waiting for pod "pod-0d1f7b4e-3c1a-4a57-9d3e-5f2f3a8b9c0d" in namespace "pods-1234"`,
			`timed out after 5m0s waiting  for pod "pod-FFFF7b4e-3c1a-4a57-9d3e-5f2f3a8b9c0e" in` + "\n" + `namespace "pods-9"`,
		},
		"dial tcp <ip>: connect: connection refused": {
			"dial tcp 10.96.0.1:443: connect: connection refused", "dial tcp 172.18.0.2:6443: connect: connection refused",
		},
		"at <time> replica webserver-<id> was unavailable, <address>": {
			"at 2026-11-27T19:20:21.123Z replica webserver-5f7c9d4b6-x2xkz was unavailable, 0xc0001a",
			"at 2026-11-28 01:00:00 +0000 replica webserver-bcdfg was unavailable, 0xdeadbeef",
		},
		"expected <n>, got <n> of <digest> at <time>": {
			"expected 3, got 2 of sha256:00aa at 19:20:21", "expected 12, got 0 of sha256:ffee11 at 00:00:00.5",
		},
		"no such thing as a service-account of <hex>": {"no such thing as a service-account of 0123456789abcdef"},
		"": {"", " \n\t"},
	} {
		for _, message := range messages {
			if got := Signature(message); got != want {
				t.Errorf("%q: %q, want %q", message, got, want)
			}
		}
	}
}

// It is short, the same for the same text, and blind to numbers.
func TestPropertySignature(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		got := Signature(text)
		if got != Signature(text) || len(got) > mostSignature+len("…")+utf8Slack {
			t.Fatalf("%q: %q", text, got)
		}
		a, b := rapid.IntRange(0, 1<<20).Draw(t, "a"), rapid.IntRange(0, 1<<20).Draw(t, "b")
		if Signature(words(a)) != Signature(words(b)) {
			t.Fatalf("%d and %d differ", a, b)
		}
	})
}

const utf8Slack = 4

func words(n int) string {
	return strings.ReplaceAll("pod number N of namespace x-N is not ready", "N", strings.Repeat("7", 1+n%5))
}

func TestAllAlike(t *testing.T) {
	failed := func(name, message string, o result.Outcome) Case {
		return Case{Name: name, Outcome: o, Attempts: []Attempt{{Outcome: o, Message: message}}}
	}
	r := Report{Cells: []Cell{
		{ID: "c1", Suites: []Suite{{Name: "s", Cases: []Case{
			failed("alone", "nobody else says so", result.Fail), failed("a", "no answer from 10.0.0.1", result.Fail),
			failed("b", "no answer from 10.0.0.2", result.Error), failed("x", "got 1", result.Fail),
			failed("good", "no answer from 10.0.0.1", result.Pass), failed("skipped", "no answer from 10.0.0.1", result.Skip),
		}}}},
		{ID: "c2", Suites: []Suite{{Name: "s", Cases: []Case{failed("a", "no answer from 10.0.0.3", result.Fail), failed("y", "got 2", result.Fail)}}}},
	}}
	all := r.AllAlike()
	if len(all) != 2 || len(all[0].Cases) != 3 || all[0].Signature != "no answer from <ip>" || all[0].Cases[2] != (AlikeCase{"c2", "s", "a"}) || len(all[1].Cases) != 2 {
		t.Errorf("%+v", all)
	}
	var out bytes.Buffer
	if err := WriteMarkdown(&out, r); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "## Failures that are alike\n\n- 3 cases, c1 / s / a among them: no answer from &lt;ip\\>\n- 2 cases, c1 / s / x among them: got &lt;n\\>\n") {
		t.Errorf("the summary says\n%s", out.String())
	}
}

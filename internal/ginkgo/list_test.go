package ginkgo

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	t.Parallel()
	all, err := lister(sample(t)).List(t.Context(), "")
	suite, specs := all.Suite, all.Specs
	if err != nil || suite != suiteName {
		t.Fatalf("suite %q: %v", suite, err)
	}
	// Twins stand there twice; what is pending would not run.
	if !slices.IsSorted(specs) || slices.Contains(specs, "[sample] is pending") {
		t.Errorf("specs: %q", specs)
	}
	if n := len(slices.DeleteFunc(slices.Clone(specs), func(s string) bool { return s != "[sample] twin" })); n != 2 {
		t.Errorf("twins are listed %d times", n)
	}
	for name := range ordinary {
		if !slices.Contains(specs, name) && name != "[sample] is pending" {
			t.Errorf("%q is not listed", name)
		}
	}
	wanted := []string{"[sample] passes", "[sample] names is short", "[sample] no such spec"}
	some, err := lister(sample(t)).List(t.Context(), Focus(suite, wanted))
	if err != nil || !slices.Equal(some.Specs, []string{wanted[1], wanted[0]}) {
		t.Errorf("selected: %q, %v", some.Specs, err)
	}
	none, err := lister(sample(t)).List(t.Context(), "no such text")
	if err != nil || len(none.Specs) != 0 {
		t.Errorf("selected: %q, %v", none.Specs, err)
	}
}

// A binary that cannot be asked has no specs to offer, rather than none.
func TestListRefuses(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no program"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ binary, arg, want string }{
		{filepath.Join(t.TempDir(), "absent"), "-x", "no such file"},
		{text, "-x", "exec format error"},
		{sample(t), "-unknown-flag", "flag provided but not defined"},
		{sample(t), "-sample.mode=usage", "-kubeconfig"},
		{sample(t), "-sample.mode=silent", "no such file"},
		{sample(t), "-sample.mode=garbage", "unexpected end of JSON"},
		{sample(t), "-sample.mode=focused", "exit status 197"},
		{sample(t), "-sample.mode=late", "exit status 1"},
	} {
		got, err := lister(c.binary, c.arg).List(t.Context(), "")
		if err == nil || !strings.Contains(err.Error(), c.want) || len(got.Specs) > 0 {
			t.Errorf("%s %s: got %v and %q, want %q", filepath.Base(c.binary), c.arg, err, got.Specs, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lister(sample(t)).List(ctx, ""); err == nil {
		t.Error("a cancelled listing is no error")
	}
}

func TestFocus(t *testing.T) {
	const suite = "Sample (v1.0) suite"
	specs := []string{"[x] a.b (c|d)* finds", "[x] short"}
	for _, c := range []struct {
		suite, text string
		want        bool
	}{
		{suite, suite + " [x] short", true},
		{suite, suite + " [x] a.b (c|d)* finds", true},
		{suite, suite + " [x] aXb (c|d)* finds", false},
		{suite, suite + " [x] shorter", false},
		{suite, suite + " [x] short ", false},
		{suite, suite + " [x] short\n", false},
		{suite, suite + " before [x] short", false},
		{suite, suite + "[x] short", false},
		{suite, "Sample (v1x0) suite [x] short", false},
		{suite, "Another " + suite + " [x] short", false},
		{suite, suite + " [x] Short", false},
		{suite, suite + " [x] short\n" + suite + " [x] short", false},
		{"", suite + " [x] short", true},
		{"", suite + " before [x] short", true}, // the description is not known
		{"", suite + " before[x] short", false},
	} {
		if got := regexp.MustCompile(Focus(c.suite, specs)).MatchString(c.text); got != c.want {
			t.Errorf("suite %q selects %q: %v", c.suite, c.text, got)
		}
	}
}

// What a binary prints is redacted before it is cut: of what the cut goes
// through nobody could tell any more what it was.
func TestOutputIsRedactedBeforeItIsCut(t *testing.T) {
	const password = "hunter2hunter2hunter2"
	script := filepath.Join(t.TempDir(), "e2e.test")
	for at := range 60 {
		// The bytes that are kept of the end begin somewhere in the password.
		said := "#!/bin/sh\necho " + strings.Repeat("z", 600) + "\necho password=" + password + "\necho " + strings.Repeat("y", 1000-at) + "\nexit 2\n"
		if err := os.WriteFile(script, []byte(said), 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := lister(script).List(t.Context(), "")
		if err == nil || strings.Contains(err.Error(), "unter") {
			t.Fatalf("at %d: %v", at, err)
		}
	}
}

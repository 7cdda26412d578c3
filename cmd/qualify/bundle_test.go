package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cncf"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/suites"
)

// Two tests stand for the conformance tests of a release.
var twoTests = []string{"[sig-a] one works [Conformance]", "[sig-a] two works [Conformance]"}

// certifiedSuite is the conformance suite as its certified mode leaves it: the
// two files of the evidence are in its directory. spoil changes them.
func certifiedSuite(spoil func(log, junit []byte) ([]byte, []byte)) suites.Suite {
	return suites.Suite{
		Name: conformanceSuite, Doc: "for tests",
		Expect: func(*release.Release) ([]string, error) { return twoTests, nil },
		Run: func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
			var log, junit bytes.Buffer
			fmt.Fprintf(&log, "Random Seed: 7\n\nWill run 2 of 2 specs\n  e2e test version: v1.34.4\n")
			fmt.Fprintf(&junit, `<testsuites tests="2"><testsuite tests="2" failures="0" errors="0" skipped="0"><properties><property name="RandomSeed" value="7"/></properties>`)
			for i, name := range twoTests {
				fmt.Fprintf(&log, "------------------------------\n%s\ntest/e2e/x.go:%d\n• [1.000 seconds]\n", name, i+1)
				fmt.Fprintf(&junit, `<testcase name="[It] %s" status="passed" time="1"></testcase>`, name)
			}
			fmt.Fprintf(&log, "------------------------------\n\nRan 2 of 2 Specs in 2.000 seconds\nSUCCESS! -- 2 Passed | 0 Failed | 0 Pending | 0 Skipped\nTest Suite Passed\n")
			fmt.Fprintf(&junit, `</testsuite></testsuites>`)
			l, j := log.Bytes(), junit.Bytes()
			if spoil != nil {
				l, j = spoil(l, j)
			}
			return errors.Join(pass(ctx, env, emit), os.WriteFile(filepath.Join(env.Dir, cncf.LogFile), l, 0o600), os.WriteFile(filepath.Join(env.Dir, cncf.JUnitFile), j, 0o600))
		},
	}
}

const productYAML = `vendor: Yoyodyne
name: Turbo Encabulator
version: v1.7.4
website_url: https://yoyo.dyne/turbo
documentation_url: https://yoyo.dyne/turbo/docs
type: distribution
description: It encabulates.
contact_email_address: c@yoyo.dyne
`

// certifiedRun runs a suite in a world and returns how a bundle is made of it.
func certifiedRun(t *testing.T, suite suites.Suite, more ...string) (*world, func(more ...string) said) {
	t.Helper()
	w := newWorld(t)
	w.suites = []suites.Suite{suite, tiny(pass)}
	if said := w.qualify(context.Background(), append([]string{"--os", "debian", "--suite", suite.Name}, more...)...); said.code > 1 {
		t.Fatalf("exit code %d:\n%s\n%s", said.code, said.stdout, said.stderr)
	}
	list := "- codename: '" + strings.Join(twoTests, "'\n- codename: '") + "'\n"
	if err := errors.Join(os.WriteFile(w.file("product.yaml"), []byte(productYAML), 0o600), os.WriteFile(w.file("conformance.yaml"), []byte(list), 0o600)); err != nil {
		t.Fatal(err)
	}
	return w, func(more ...string) said {
		return w.call(context.Background(), append([]string{
			"cncf", "bundle", "latest", "--results", w.file("results"), "--product", w.file("product.yaml"),
			"--out", w.file("out"), "--as-of", "2025-10-01", "--conformance-yaml", w.file("conformance.yaml"),
		}, more...)...)
	}
}

// below lists the files below a directory.
func below(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			files = append(files, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

func TestBundle(t *testing.T) {
	w, bundle := certifiedRun(t, certifiedSuite(nil))
	said := bundle()
	if said.code != 0 || !strings.HasPrefix(said.stdout, "accepted  v1.34/turbo-encabulator as of 2025-10-01: 0 findings, 0 doubts\n") || !strings.Contains(said.stdout, "written  "+w.file("out/v1.34/turbo-encabulator")) {
		t.Fatalf("exit code %d:\n%s\n%s", said.code, said.stdout, said.stderr)
	}
	const at = "v1.34/turbo-encabulator/"
	if got := below(t, w.file("out")); !slices.Equal(got, []string{at + "PRODUCT.yaml", at + "README.md", at + "e2e.log", at + "junit_01.xml"}) {
		t.Errorf("there is %q", got)
	}
	readme, err := os.ReadFile(w.file("out/" + at + "README.md"))
	if err != nil || !strings.Contains(string(readme), "       qualify -f "+w.file("matrix.yaml")) {
		t.Errorf("%s, %v", readme, err)
	}
	lint := w.call(context.Background(), "cncf", "lint", w.file("out/"+at), "--as-of", "2025-10-01", "--conformance-yaml", w.file("conformance.yaml"), "--strict")
	if lint.code != 0 {
		t.Errorf("its own lint says %d:\n%s%s", lint.code, lint.stdout, lint.stderr)
	}
	// What is there is not touched.
	if again := bundle(); again.code != 2 || !strings.Contains(again.stderr, "is there already") {
		t.Errorf("exit code %d:\n%s", again.code, again.stderr)
	}
	if other := bundle("--folder", "turbo", "-o", "json"); other.code != 0 {
		t.Errorf("exit code %d:\n%s", other.code, other.stderr)
	} else {
		var data struct {
			Accepted           bool
			Directory, Written string
		}
		if err := json.Unmarshal([]byte(other.stdout), &data); err != nil || !data.Accepted || data.Directory != "v1.34/turbo" || data.Written != w.file("out/v1.34/turbo") {
			t.Errorf("%+v, %v", data, err)
		}
	}
}

func TestBundleThatIsRefused(t *testing.T) {
	replace := func(old, with string) func(log, junit []byte) ([]byte, []byte) {
		return func(log, junit []byte) ([]byte, []byte) {
			return bytes.ReplaceAll(log, []byte(old), []byte(with)), bytes.ReplaceAll(junit, []byte(old), []byte(with))
		}
	}
	for name, c := range map[string]struct {
		suite suites.Suite
		more  []string
		rules []string
	}{
		"tests that the release requires": {certifiedSuite(nil), []string{"--conformance-yaml", ""}, nil},
		"files of other tests":            {certifiedSuite(replace("two works", "two breaks")), nil, []string{"run-and-files-differ", "junit-tests-missing", "junit-tests-unknown"}},
		"a log without a version":         {certifiedSuite(replace("e2e test version", "version")), nil, []string{"log-version"}},
		"a failed case": {func() suites.Suite {
			s := certifiedSuite(nil)
			run := s.Run
			s.Run = func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
				return run(ctx, env, func(c result.Case) {
					if c.Name == twoTests[1] {
						c.Outcome, c.Message = result.Fail, "no"
					}
					emit(c)
				})
			}
			return s
		}(), nil, []string{"run-not-qualified", "run-and-files-differ"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.rules == nil { // the list that comes with the program
				c.more, c.rules = []string{"--conformance-yaml", shippedList(t)}, []string{"junit-tests-missing", "junit-tests-unknown"}
			}
			w, bundle := certifiedRun(t, c.suite)
			for _, force := range []bool{false, true} {
				args := append([]string{"-o", "json"}, c.more...)
				if force {
					args = append(args, "--force")
				}
				said := bundle(args...)
				var found struct {
					Findings []cncf.Finding
					Written  string
				}
				if err := json.Unmarshal([]byte(said.stdout), &found); err != nil || said.code != 1 {
					t.Fatalf("exit code %d, %v:\n%s%s", said.code, err, said.stdout, said.stderr)
				}
				var rules []string
				for _, f := range found.Findings {
					rules = append(rules, f.Rule)
				}
				if !slices.Equal(rules, c.rules) {
					t.Errorf("refused by %q, want %q", rules, c.rules)
				}
				files := len(below(t, w.file("out")))
				if force && (files != 4 || found.Written == "") || !force && (files != 0 || found.Written != "") {
					t.Errorf("with force %v there are %d files, and it says %q", force, files, found.Written)
				}
			}
		})
	}
}

// shippedList writes the list of v1.34 that comes with the program into a
// file.
func shippedList(t *testing.T) string {
	t.Helper()
	listed, err := cncf.ShippedTests()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, test := range listed {
		if slices.Contains(test.Minors, 34) {
			fmt.Fprintf(&text, "- codename: %q\n", test.Name)
		}
	}
	file := filepath.Join(t.TempDir(), "conformance.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestBundleUsage(t *testing.T) {
	quick := certifiedSuite(nil)
	quick.Run = pass
	w, bundle := certifiedRun(t, quick)
	for name, c := range map[string]struct {
		got  said
		want string
	}{
		"a run in another mode": {bundle(), "has no e2e.log: only the certified mode"},
		"no product":            {w.call(context.Background(), "cncf", "bundle", "latest", "--results", w.file("results")), "which product?"},
		"a product that is not": {bundle("--product", w.file("none")), "--product: open"},
		"another cell":          {bundle("--cell", "x"), "which --cell? run "},
		"a path as folder":      {bundle("--folder", "../x"), "does for no folder"},
		"no run":                {w.call(context.Background(), "cncf", "bundle", "none", "--product", w.file("product.yaml")), `no run "none"`},
	} {
		if c.got.code != 2 || !strings.Contains(c.got.stderr, c.want) || c.got.stdout != "" {
			t.Errorf("%s: exit code %d:\n%s%s", name, c.got.code, c.got.stdout, c.got.stderr)
		}
	}
	if got := below(t, w.file("out")); len(got) > 0 {
		t.Errorf("there is %q", got)
	}
	other, bundleOther := certifiedRun(t, tiny(pass))
	if got := bundleOther(); got.code != 2 || !strings.Contains(got.stderr, "did not plan the suite conformance") {
		t.Errorf("exit code %d:\n%s", got.code, got.stderr)
	}
	other.empty(t)
}

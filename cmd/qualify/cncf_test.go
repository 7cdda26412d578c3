package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/qualify-dev/qualify/internal/cncf"
)

// sharedSubmissions is where real submissions lie beside a checkout.
const sharedSubmissions = "../../../shared/data/eksd/conformance"

// The real submissions, on a day on which each could be made: the one with a
// log is accepted, the others are refused for want of it and for nothing else.
func TestLintOfRealSubmissions(t *testing.T) {
	if _, err := os.Stat(sharedSubmissions); err != nil {
		t.Skipf("no real submissions beside this checkout: %v", err)
	}
	for release, day := range map[string]string{
		"v1.18": "2020-12-01", "v1.19": "2021-03-01", "v1.24": "2022-11-01", "v1.25": "2023-02-10",
		"v1.27": "2023-05-12", "v1.28": "2023-09-01", "v1.32": "2025-02-06",
	} {
		dir := filepath.Join(sharedSubmissions, release, "eks-d")
		var stdout, stderr bytes.Buffer
		code := Main(context.Background(), []string{"cncf", "lint", dir, "--as-of", day, "-o", "json"}, &stdout, &stderr)
		var found cncf.Report
		if err := json.Unmarshal(stdout.Bytes(), &found); err != nil {
			t.Fatalf("%s: %v\n%s", release, err, stderr.String())
		}
		if found.Directory != release+"/eks-d" || found.AsOf != day {
			t.Errorf("%s as of %s is told as %s as of %s", release, day, found.Directory, found.AsOf)
		}
		if release == "v1.28" {
			if code != 0 || !found.Accepted || len(found.Findings) > 0 {
				t.Errorf("%s: exit code %d, %+v", release, code, found.Findings)
			}
			continue
		}
		if code != 1 || found.Accepted || len(found.Findings) != 1 || found.Findings[0].Rule != "file-missing" || found.Findings[0].Want != "e2e.log" {
			t.Errorf("%s: exit code %d, %+v", release, code, found.Findings)
		}
	}
}

// The contract of -o json: gates read these names, and lists are never null.
func TestLintContract(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "v1.37", "x")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := Main(context.Background(), []string{"cncf", "lint", dir, "--as-of", "2026-11-25", "-o", "json"}, &stdout, &stderr); code != 1 {
		t.Fatalf("exit code %d\n%s", code, stderr.String())
	}
	var data map[string]any
	if err := json.Unmarshal(stdout.Bytes(), &data); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(data)); !slices.Equal(got, []string{"accepted", "asOf", "directory", "doubts", "findings", "notes"}) {
		t.Errorf("it has %q", got)
	}
	if data["accepted"] != false || data["doubts"] == nil || data["notes"] == nil {
		t.Errorf("%s", stdout.String())
	}
	findings, _ := data["findings"].([]any)
	if len(findings) != 4 { // none of the four files is there
		t.Fatalf("%s", stdout.String())
	}
	finding, _ := findings[0].(map[string]any)
	if got := slices.Sorted(maps.Keys(finding)); !slices.Equal(got, []string{"got", "rule", "text", "want"}) {
		t.Errorf("a finding has %q", got)
	}
}

package cover_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/matrix/cover"
	"github.com/qualify-dev/qualify/matrix/cover/check"
)

// kops is the grid of AWS jobs that kOps' job generator makes: 2,160 rows, of
// which dozens of conditions in a script leave 1,342.
func kops() cover.Model {
	const arm = "u2204arm64 u2404arm64 u2510arm64 u2604arm64 al2023arm64 rhel10arm64 rocky10arm64"
	m := cover.Model{Axes: []cover.Axis{
		{Name: "network", Values: strings.Fields("amazon-vpc calico cilium cilium-etcd cilium-eni flannel kindnet kopeio kubenet kuberouter")},
		{Name: "distro", Values: strings.Fields("deb11 deb12 deb13 u2204 u2404 u2510 u2604 al2023 rhel9 rocky9 flatcar " + arm)},
		{Name: "k8s", Values: strings.Fields("v1.34 v1.35 v1.36")},
		{Name: "kops", Values: strings.Fields("latest v1.34 v1.35 v1.36")},
	}}
	// Each is a line of axis and values, which together are forbidden.
	for _, text := range []string{
		"network kopeio, distro flatcar " + arm,
		"kops latest, distro deb11",
		"kops v1.34, distro u2510 u2510arm64 u2604 u2604arm64 rhel10arm64 rocky10arm64",
		"kops v1.34, distro deb13 al2023 al2023arm64, network amazon-vpc",
		"distro deb13 al2023 al2023arm64, network cilium-eni",
		"kops v1.34, distro deb11 rhel9, network amazon-vpc cilium-eni",
		"kops v1.34 v1.35, network kubenet",
		"kops v1.34, network kindnet",
		"distro rhel10arm64 rocky10arm64, kops v1.34 v1.35 v1.36, network kuberouter",
		"distro rhel10arm64 rocky10arm64, network amazon-vpc",
		"kops v1.34, k8s v1.35 v1.36",
		"kops v1.35, k8s v1.36",
	} {
		c := cover.Constraint{Name: text}
		for part := range strings.SplitSeq(text, ", ") {
			words := strings.Fields(part)
			c.Forbid = append(c.Forbid, cover.Term{Axis: words[0], Values: words[1:]})
		}
		m.Constraints = append(m.Constraints, c)
	}
	return m
}

func TestKopsGrid(t *testing.T) {
	m := kops()
	cells := 0
	if err := cover.Walk(m, cover.Visitor{Valid: func(cover.Row) bool { cells++; return true }}); err != nil || cells != 1342 {
		t.Errorf("%d valid cells, %v", cells, err)
	}
	for seed := range uint64(5) {
		r, err := cover.Generate(context.Background(), m, cover.Options{Strength: 2, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Rows) != 167 || r.Bound != 167 || r.Covered != 362 {
			t.Errorf("seed %d: %d rows (at least %d), %d pairs", seed, len(r.Rows), r.Bound, r.Covered)
		}
		report, err := check.Verify(context.Background(), m, r.Rows, 2)
		if err != nil || !report.OK() || report.Covered != 362 {
			t.Errorf("seed %d: the checker says %+v, %v", seed, report, err)
		}
		again, err := cover.Generate(context.Background(), m, cover.Options{Strength: 2, Seed: seed})
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("seed %d: the second time it is another array, %v", seed, err)
		}
	}
}

// TestRequiredRowsComeFirst and count.
func TestRequiredRowsComeFirst(t *testing.T) {
	m := kops()
	var required []cover.Row
	err := cover.Walk(m, cover.Visitor{Valid: func(row cover.Row) bool {
		if len(required) < 40 {
			required = append(required, slices.Clone(row))
		}
		return true
	}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := cover.Generate(context.Background(), m, cover.Options{Strength: 2, Required: append(required, required[0])})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(r.Rows[:40], required, slices.Equal) {
		t.Error("the required rows are not at the beginning")
	}
	if report, err := check.Verify(context.Background(), m, r.Rows, 2); err != nil || !report.OK() || len(r.Rows) > 205 {
		t.Errorf("%d rows; the checker says %+v, %v", len(r.Rows), report, err)
	}
}

func BenchmarkKopsGrid(b *testing.B) {
	m := kops()
	for b.Loop() {
		if _, err := cover.Generate(context.Background(), m, cover.Options{Strength: 2}); err != nil {
			b.Fatal(err)
		}
	}
}

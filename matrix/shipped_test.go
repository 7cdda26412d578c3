package matrix

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/nodeos"
)

// countedOn is the day for which the shipped counts hold: with every day
// something loses its support.
const countedOn = "2026-11-01"

func shipped(t *testing.T, name string) *Matrix {
	t.Helper()
	data, file, ok := ShippedFile(name)
	if !ok {
		t.Fatalf("%s is not shipped", name)
	}
	m, err := Load(file, data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Each shipped matrix loads without warnings, is what its schema says, and has
// an exclusion for nothing in vain.
func TestShipped(t *testing.T) {
	schema := resolved(t)
	for _, name := range Shipped() {
		m := shipped(t, name)
		e, err := m.Select(Request{AsOf: countedOn})
		if err != nil || len(m.Warnings)+len(e.Warnings) > 0 {
			t.Errorf("%s: %v, warnings %v %v", name, err, m.Warnings, e.Warnings)
		}
		data, _, _ := ShippedFile(name)
		if err := schema.Validate(plain(t, data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if onDisk, err := os.ReadFile(name + ".yaml"); err != nil || string(onDisk) != string(data) {
			t.Errorf("%s is not %s.yaml: %v", name, name, err)
		}
	}
	if _, _, ok := ShippedFile("solaris"); ok {
		t.Error("solaris is shipped")
	}
}

// sections of the README between its markers are written by a test.
func readmeSection(t *testing.T, marker, want string) {
	t.Helper()
	const file = "README.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+marker+" -->\n", "<!-- end of "+marker+" -->\n"
	before, rest, ok := strings.Cut(string(data), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no section %s", file, marker)
	}
	if got == want {
		return
	}
	if !*update {
		t.Errorf("the section %s of %s has changed (-update accepts it):\n%s\nwant\n%s", marker, file, got, want)
		return
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The counts in the README, from the file as it is.
func TestEKSDistroCounts(t *testing.T) {
	m := shipped(t, "eks-distro")
	r := Request{AsOf: countedOn}
	e, err := m.Select(r)
	if err != nil {
		t.Fatal(err)
	}
	invalid, excluded := 0, 0
	by := map[string]int{}
	for _, x := range e.Excluded {
		if x.Why == (Reason{}) {
			excluded++
			continue
		}
		invalid++
		by[x.By()]++
	}
	var text strings.Builder
	fmt.Fprintf(&text, "| eks-distro.yaml as of %s | cells |\n|---|--:|\n", countedOn)
	fmt.Fprintf(&text, "| raw combinations | %d |\n| cannot be | %d |\n", e.Raw, invalid)
	var rules []string
	for rule := range by {
		rules = append(rules, rule)
	}
	slices.SortFunc(rules, func(a, b string) int {
		if by[a] != by[b] {
			return by[b] - by[a]
		}
		return strings.Compare(a, b)
	})
	for _, rule := range rules {
		fmt.Fprintf(&text, "| … by `%s` first | %d |\n", rule, by[rule])
	}
	fmt.Fprintf(&text, "| excluded by rules | %d |\n| **valid** | **%d** |\n", excluded, len(e.Cells))
	names := map[int]string{2: "pairwise", 3: "3-wise"}
	for _, strength := range []int{2, 3} {
		if strength == 3 && testing.Short() {
			t.Skip("triples take seconds")
		}
		cells, claimed, err := m.Reduce(t.Context(), r, e, Reduction{Strength: strength, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		seen, err := m.Verify(t.Context(), r, e, cells, strength)
		if err != nil || len(seen.Uncovered)+len(seen.Problems) > 0 || seen.Covered != claimed.Covered {
			t.Errorf("strength %d: %d uncovered, %v, %v", strength, len(seen.Uncovered), seen.Problems, err)
		}
		fmt.Fprintf(&text, "| %s: all %d combinations of %d values | %d |\n", names[strength], seen.Covered, strength, len(cells))
	}
	readmeSection(t, "eks-distro counts", text.String())
}

// Every system of the shipped matrices is one that nodeos knows, under the same
// name and of the same family, and both say the same of its containerd and its
// kubelet. The other way round, what nodeos knows is in the large matrix.
func TestSystemsAreThoseOfNodeos(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range Shipped() {
		m := shipped(t, name)
		for _, axis := range m.Axes {
			if axis.Name != OS {
				continue
			}
			for _, v := range axis.Values {
				os, err := nodeos.Find(v.Name)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				seen[os.ID] = true
				if v.Family != "" && v.Family != os.Family {
					t.Errorf("%s: %s is of the family %s, nodeos says %s", name, v.Name, v.Family, os.Family)
				}
				// The matrix may name a patch version.
				if v.Containerd != "" && v.Containerd != os.Containerd && !strings.HasPrefix(v.Containerd, os.Containerd+".") || v.Containerd == "" && os.Containerd != "" && v.Family != "" {
					t.Errorf("%s: the containerd of %s is %q, nodeos says %q", name, v.Name, v.Containerd, os.Containerd)
				}
				if own := v.Kubelet != (Minors{}); own != os.OwnKubelet {
					t.Errorf("%s: %s has a kubelet of its own: %v, nodeos says %v", name, v.Name, own, os.OwnKubelet)
				}
			}
		}
	}
	for _, os := range nodeos.All() {
		if !seen[os.ID] {
			t.Errorf("no shipped matrix has %s", os.ID)
		}
	}
}

// EKS Anywhere's published table in one file: what it has hand-written test
// functions for. The counts are made a second time, from the table itself.
func TestEKSAnywhereTable(t *testing.T) {
	const file = "testdata/eks-anywhere.yaml"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(file, data)
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Select(Request{AsOf: countedOn})
	if err != nil {
		t.Fatal(err)
	}
	ubuntu, rhel := []string{"ubuntu-20.04", "ubuntu-22.04", "ubuntu-24.04"}, []string{"rhel-8", "rhel-9"}
	table := map[string][]string{
		"vsphere":    slices.Concat([]string{"bottlerocket"}, ubuntu, rhel),
		"bare-metal": slices.Concat(ubuntu, rhel),
		"snow":       ubuntu,
		"cloudstack": rhel,
		"nutanix":    slices.Concat(ubuntu, rhel),
	}
	want := map[string]bool{}
	for provider, systems := range table {
		for _, system := range systems {
			for minor := 30; minor <= 36; minor++ {
				want[fmt.Sprintf("%s %s 1.%d", provider, system, minor)] = true
			}
		}
	}
	for _, c := range e.Cells {
		v, _ := parseVersion(c.Value(K8s))
		key := fmt.Sprintf("%s %s %s", c.Value(Provisioner), c.Value(OS), minorOf(v))
		if !want[key] {
			t.Errorf("%s is not in the table", key)
		}
		delete(want, key)
	}
	if len(want) > 0 || e.Raw != 210 || len(e.Cells) != 147 {
		t.Errorf("%d cells of %d, %d are missing: %v", len(e.Cells), e.Raw, len(want), want)
	}
	cells, _, err := m.Reduce(t.Context(), Request{AsOf: countedOn}, e, Reduction{Strength: 2, Seed: 1})
	if err != nil || len(cells) > 50 {
		t.Errorf("%d cells for all pairs, %v", len(cells), err)
	}
	t.Logf("%d cells of %d; all pairs in %d", len(e.Cells), e.Raw, len(cells))
}

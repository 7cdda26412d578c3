package matrix

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/internal/strict"
)

// IDs name directories of old runs: a change here orphans them.
func TestCellIDIsStable(t *testing.T) {
	long := strings.Repeat("abcdefgh-", 6) + "z"
	tests := []struct {
		name   string
		values map[string]string
		want   string
	}{
		{"usual", map[string]string{OS: "debian-12", K8s: "v1.34.4", Provisioner: "kind"}, "debian-12-v1-34-4-kind-"},
		{"others after the known, by name", map[string]string{"cni": "ptp", "arch": "arm64", K8s: "v1.34.4", OS: "debian-12"}, "debian-12-v1-34-4-arm64-ptp-"},
		{"upper case", map[string]string{OS: "Debian-12"}, "debian-12-"},
		{"underscore", map[string]string{OS: "a_b"}, "a-b-"},
		{"long", map[string]string{OS: long}, "abcdefgh-abcdefgh-abcdefgh-abcdef-"},
		{"cut at a dash", map[string]string{OS: strings.Repeat("a", 32) + "-" + long}, strings.Repeat("a", 32) + "-"},
		{"no letters", map[string]string{OS: "é/…"}, "cell-"},
		{"empty value", map[string]string{OS: "", K8s: "v1.34.4"}, "v1-34-4-"},
		{"nothing", nil, "cell-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := NewCell(tt.values).ID
			prefix, hash := got[:len(tt.want)], got[len(tt.want):]
			if prefix != tt.want {
				t.Errorf("id %s, want it to begin with %s", got, tt.want)
			}
			if strings.Contains(hash, "-") {
				t.Errorf("id %s has more before its hash than %s", got, tt.want)
			}
		})
	}
	// The hash too is pinned, once for each length.
	if got, want := NewCell(tests[0].values).ID, "debian-12-v1-34-4-kind-"+digest(tests[0].values)[:8]; got != want {
		t.Errorf("id %s, want %s", got, want)
	}
	for want, values := range map[string]map[string]string{
		goldenShort: tests[0].values,
		goldenLong:  tests[4].values,
	} {
		if got := NewCell(values).ID; got != want {
			t.Errorf("id %s, want %s", got, want)
		}
	}
}

const (
	goldenShort = "debian-12-v1-34-4-kind-46afff4c"
	goldenLong  = "abcdefgh-abcdefgh-abcdefgh-abcdef-ff320707707038ae"
)

func TestCellValue(t *testing.T) {
	cell := NewCell(map[string]string{OS: "debian-12"})
	if cell.Value(OS) != "debian-12" || cell.Value("arch") != "" {
		t.Errorf("values %q and %q", cell.Value(OS), cell.Value("arch"))
	}
}

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*-([0-9a-f]{8}|[0-9a-f]{16})$`)

func checkID(id string) error {
	switch {
	case len(id) > 50:
		return fmt.Errorf("id %s has %d bytes", id, len(id))
	case !idForm.MatchString(id):
		return fmt.Errorf("id %s is not a DNS label with a hash", id)
	}
	return nil
}

// Values that a slug confuses: case, dots and dashes, where one value ends,
// text beyond the cut.
func hardValues(r *rand.Rand) map[string]string {
	pieces := []string{"a", "A", "b", "1", ".", "-", "_", " ", "é", "v1.34", "debian", "Debian", "DEBIAN", strings.Repeat("x", 20)}
	axes := []string{OS, K8s, Provisioner, "arch", "CNI", "cni"}
	values := map[string]string{}
	for range 1 + r.IntN(4) {
		var b strings.Builder
		for range r.IntN(8) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		values[axes[r.IntN(len(axes))]] = b.String()
	}
	return values
}

func TestCellIDsAreInjective(t *testing.T) {
	// A million cells where the machine is quick, fewer under -race or a load.
	each, enough, deadline := 10_000, 200_000, time.Now().Add(5*time.Second)
	if testing.Short() {
		deadline = time.Now()
	}
	owner := map[string]string{} // canonical values by lower-cased id
	rapid.Check(t, func(rt *rapid.T) {
		if len(owner) > enough && time.Now().After(deadline) {
			return
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		for range each {
			values := hardValues(r)
			id := NewCell(values).ID
			if err := checkID(id); err != nil {
				rt.Fatalf("%v: %v", values, err)
			}
			text := fmt.Sprint(values)
			key := strings.ToLower(id)
			if other, taken := owner[key]; taken && other != text {
				rt.Fatalf("%s and %s have one id, %s", other, text, id)
			}
			owner[key] = text
		}
	})
	if len(owner) < enough/2 {
		t.Errorf("only %d different cells were tried", len(owner))
	}
}

// All case variants of one name share a slug: with 32 bits of hash some of
// these 262,144 would collide.
func TestCellIDsOfCaseVariants(t *testing.T) {
	const name = "abcdefghijklmnopqr"
	seen := map[string]bool{}
	for bits := range 1 << len(name) {
		variant := []byte(name)
		for i := range variant {
			if bits>>i&1 == 1 {
				variant[i] -= 'a' - 'A'
			}
		}
		seen[NewCell(map[string]string{OS: string(variant)}).ID] = true
	}
	if len(seen) != 1<<len(name) {
		t.Errorf("%d different ids for %d names", len(seen), 1<<len(name))
	}
}

// A file may be reordered; its cells keep their names.
func TestCellIDDoesNotDependOnAxisOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		values := rapid.MapOf(rapid.StringMatching(`[a-z]{1,8}`), rapid.String()).Draw(rt, "values")
		want := NewCell(values).ID
		keys := rapid.Permutation(slices.Collect(maps.Keys(values))).Draw(rt, "order")
		again := map[string]string{}
		for _, key := range keys {
			again[key] = values[key]
		}
		if got := NewCell(again).ID; got != want {
			rt.Errorf("ids %s and %s", got, want)
		}
	})
}

// Names from anywhere: an ID is a safe name of a file and a DNS label, the same
// each time, and another one where the values are.
func FuzzCellID(f *testing.F) {
	for _, s := range []string{"", "debian-12", "v1.34.4", "../../etc", "CON", ".hidden", "a/b\\c", "größe", "\x00\n", "\xff", strings.Repeat("x", 300)} {
		f.Add(s, "kind")
		f.Add("os", s)
	}
	f.Fuzz(func(t *testing.T, os, provisioner string) {
		id := NewCell(map[string]string{OS: os, Provisioner: provisioner}).ID
		if !regexp.MustCompile(strict.NameForm).MatchString(id) || len(id) > maxID || strings.Contains(id, ".") || id != strings.ToLower(id) {
			t.Fatalf("%q and %q have the ID %q", os, provisioner, id)
		}
		if again := NewCell(map[string]string{Provisioner: provisioner, OS: os}).ID; again != id {
			t.Fatalf("%q and then %q", id, again)
		}
		if os != provisioner && NewCell(map[string]string{OS: provisioner, Provisioner: os}).ID == id {
			t.Fatalf("%q and %q swapped have the same ID", os, provisioner)
		}
	})
}

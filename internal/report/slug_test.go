package report

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A name from anywhere becomes a file's, an XML id's or an anchor's.
func FuzzSlug(f *testing.F) {
	for _, s := range []string{"", "debian-12-v1-34-4-kind-46afff4c", "../x", ".", "..", "CON", "a_b", "größe", "\x00", "\xff\xfe", strings.Repeat("A", 300), "x-e3b0c442"} {
		f.Add(s, s+"x")
	}
	form := regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)
	f.Fuzz(func(t *testing.T, a, b string) {
		one, other := slug(a), slug(b)
		if !form.MatchString(one) || len(one) > 110 || !filepath.IsLocal(one) {
			t.Fatalf("%q became %q", a, one)
		}
		if a != b && one == other {
			t.Fatalf("%q and %q share %q", a, b, one)
		}
		if one != a && slug(one) == one {
			t.Fatalf("%q and %q share %q", a, one, one)
		}
	})
}

package all

import (
	"regexp"
	"strings"
	"testing"
)

func TestEveryEntryIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Entries() {
		if !regexp.MustCompile(`^[a-z0-9]+$`).MatchString(e.Name) {
			t.Errorf("%q is no name", e.Name)
		}
		if seen[e.Name] {
			t.Errorf("%s is listed twice", e.Name)
		}
		seen[e.Name] = true
		if e.Doc == "" || e.Capacity < 1 || e.Can == nil || e.New == nil || e.List == nil {
			t.Errorf("%s is incomplete: %+v", e.Name, e)
		}
	}
	// A verdict on clusters that do not exist would be a false green.
	if seen["fake"] {
		t.Error("the fake is listed")
	}
}

func TestFindNamesWhatIsKnown(t *testing.T) {
	if e, err := Find("kind"); err != nil || e.Name != "kind" {
		t.Errorf("kind: %+v, %v", e, err)
	}
	for _, name := range []string{"", "Kind", "fake"} {
		if _, err := Find(name); err == nil || !strings.Contains(err.Error(), "known are kind, baremetal, existing") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

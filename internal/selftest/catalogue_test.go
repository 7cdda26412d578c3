package selftest

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"testing"
)

// Each mutation is refused, and for what is wrong with it: one that is refused
// for something else might be by accident, and shows nothing.
func TestCatalogueIsRefused(t *testing.T) {
	results, err := Check(shipped(t), gate, Catalogue())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		wanted := func(code string) bool { return slices.Contains(r.Answer.Codes, code) }
		switch {
		case r.Status != Refused:
			t.Errorf("%s: %s: %+v", r.Mutation.ID, r.Status, r.Answer)
		case !slices.ContainsFunc(r.Mutation.Wants, wanted):
			t.Errorf("%s: refused for %v, want one of %v: %s", r.Mutation.ID, r.Answer.Codes, r.Mutation.Wants, r.Answer.Text)
		case r.Answer.Text == "":
			t.Errorf("%s: refused without a word", r.Mutation.ID)
		}
	}
}

func TestCatalogueIsWellFormed(t *testing.T) {
	all := Catalogue()
	if len(all) < 60 {
		t.Errorf("%d mutations", len(all))
	}
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
	ids, words := map[string]bool{}, map[string]bool{}
	for _, m := range all {
		if !name.MatchString(m.ID) || ids[m.ID] {
			t.Errorf("%q is no name, or one that is taken", m.ID)
		}
		if m.Imitates == "" || words[m.Imitates] || len(m.Wants) == 0 {
			t.Errorf("%s imitates %q and wants %v", m.ID, m.Imitates, m.Wants)
		}
		ids[m.ID], words[m.Imitates] = true, true
	}
}

// The thirteen projects in which a path to success without evidence was found.
func TestKnownFalseGreens(t *testing.T) {
	projects := map[string]bool{}
	for _, m := range Catalogue() {
		if m.Project != "" {
			projects[m.Project] = true
		}
	}
	want := []string{
		"ai-cloud-validation", "capi-helm-charts", "charmed-kubernetes", "eks-distro", "hydrophone", "k8s-conformance", "kubermatic",
		"kubernetes", "kubetest2", "kubetest2-ec2", "kubevirtci", "sonobuoy", "test-infra",
	}
	if got := slices.Sorted(maps.Keys(projects)); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestMutationsAreTheSameEachTime(t *testing.T) {
	r := shipped(t)
	before := Run{Plan: bytes.Clone(r.Plan), Journal: bytes.Clone(r.Journal), Info: bytes.Clone(r.Info)}
	for _, m := range Catalogue() {
		one, _, err1 := m.change(r)
		two, _, err2 := m.change(r)
		if err1 != nil || err2 != nil || !one.equal(two) {
			t.Errorf("%s: %v %v, or two changes differ", m.ID, err1, err2)
		}
		if !r.equal(before) {
			t.Fatalf("%s changed the run that it was given", m.ID)
		}
	}
}

// No mutation but those of time may be refused for its times, and none for a
// checksum that does not fit: events are inserted and moved with care.
func TestMutationsAreWrittenWell(t *testing.T) {
	results, err := Check(shipped(t), gate, Catalogue())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if slices.Contains(r.Answer.Codes, "clock-jumped") && !slices.Contains(r.Mutation.Wants, "clock-jumped") {
			t.Errorf("%s is refused for its times too: %v", r.Mutation.ID, r.Answer.Codes)
		}
		if slices.Contains(r.Answer.Codes, Unreadable) && !slices.Contains(r.Mutation.Wants, Unreadable) {
			t.Errorf("%s cannot be read: %s", r.Mutation.ID, r.Answer.Text)
		}
	}
}

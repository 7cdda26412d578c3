package main

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/matrix"
)

// optionsOn are the flags of a run on the shipped matrix, with a provisioner
// that cannot serve some systems here.
func optionsOn(here string, args ...string) (*runOptions, error) {
	w := shipped(nil)
	w.entry = func(string) (provision.Entry, error) {
		return provision.Entry{Name: "kind", Can: func(c matrix.Cell) error {
			if c.Value(matrix.OS) == here {
				return &provision.UnsupportedError{Reason: "not on this machine"}
			}
			return nil
		}}, nil
	}
	o := &runOptions{w: w}
	cmd := newRunCommandOf(o)
	return o, cmd.ParseFlags(args)
}

// Each system runs what it brings where that can serve the release, and else
// what can; what is selected is taken as it is.
func TestWhichRuntimeACellHas(t *testing.T) {
	for args, want := range map[string]string{
		"--os debian-12 --k8s 1.34":                                   "debian-12/os/v1.34.4",
		"--os debian-11,debian-12 --k8s 1.33,1.34":                    "debian-12/os/v1.33.13 debian-12/os/v1.34.4 debian-11/v1.7.32/v1.33.13 debian-11/v1.7.32/v1.34.4",
		"--os debian-12 --k8s 1.34 --containerd v1.7.32":              "debian-12/v1.7.32/v1.34.4",
		"--os debian-12,debian-11 --k8s 1.34 --containerd os,v1.7.32": "debian-12/os/v1.34.4 debian-12/v1.7.32/v1.34.4 debian-11/v1.7.32/v1.34.4",
		"--os debian --k8s 1.34":                                      "debian-12/os/v1.34.4 debian-11/v1.7.32/v1.34.4",
	} {
		o, err := optionsOn("debian-13", strings.Fields(args)...)
		if err != nil {
			t.Fatal(err)
		}
		s, err := o.selectCells(context.Background(), shop(t, o))
		if err != nil {
			t.Errorf("%s: %v", args, err)
		}
		var got []string
		for _, c := range s.Cells {
			got = append(got, c.Value(matrix.OS)+"/"+c.Value(matrix.Containerd)+"/"+c.Value(matrix.K8s))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", args, strings.Join(got, " "), want)
		}
	}
}

// What is left out says why; where nothing is left, that is the error.
func TestWhatCannotBeRun(t *testing.T) {
	o, err := optionsOn("debian-13", "--os", "debian", "--k8s", "1.34", "--containerd", "os")
	if err != nil {
		t.Fatal(err)
	}
	s, err := o.selectCells(context.Background(), shop(t, o))
	if err != nil || len(s.Cells) != 1 || len(s.Excluded) != 1 || len(s.absent) != 1 {
		t.Fatalf("%d cells, %+v, %v", len(s.Cells), s.absent, err)
	}
	for i, want := range []string{"containerd 1.4 of debian-11 has no CRI v1", "unsupported here: not on this machine"} {
		if !strings.Contains(s.leftOut()[i], want) {
			t.Errorf("left out %q, want %q", s.leftOut()[i], want)
		}
	}
	for _, args := range [][]string{
		{"--os", "debian-13", "--k8s", "1.34"}, {"--os", "debian-11", "--k8s", "1.34", "--containerd", "os"},
	} {
		o, err := optionsOn("debian-13", args...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.selectCells(context.Background(), shop(t, o)); exitCode(context.Background(), io.Discard, err) != 2 {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// What cannot be is run where that is asked for, and the plan says why it cannot.
func TestForceInvalid(t *testing.T) {
	o, err := optionsOn("debian-13", "--os", "debian-11", "--k8s", "1.34", "--containerd", "os", "--force-invalid")
	if err != nil {
		t.Fatal(err)
	}
	s, err := o.selectCells(context.Background(), shop(t, o))
	if err != nil || len(s.Cells) != 1 || !strings.Contains(s.Forced[s.Cells[0].ID].Text, "containerd 1.4 of debian-11 has no CRI v1") {
		t.Fatalf("%+v, forced %v, %v", s.Cells, s.Forced, err)
	}
	if lines := s.leftOut(); len(lines) != 1 || !strings.HasPrefix(lines[0], "forced: debian-11-v1-34-4-kind-os-") {
		t.Errorf("said %q", lines)
	}
	// What this machine cannot make is not made by force.
	if o, err = optionsOn("debian-13", "--os", "debian-13", "--k8s", "1.34", "--force-invalid"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.selectCells(context.Background(), shop(t, o)); err == nil || !strings.Contains(err.Error(), "unsupported here") {
		t.Errorf("debian-13: %v", err)
	}
}

func shop(t *testing.T, o *runOptions) workshop {
	t.Helper()
	w, err := o.w.workshop()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

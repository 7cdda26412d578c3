package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/doctor"
)

// examined is the verb on a host where the checks give that.
func examined(checks []doctor.Check, err error, args ...string) (string, error) {
	cmd := doctorCommand(func(context.Context) ([]doctor.Check, error) { return checks, err })
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err = cmd.ExecuteContext(context.Background())
	return out.String(), err
}

func TestDoctorCommand(t *testing.T) {
	fit := []doctor.Check{{Name: "cpus", Status: doctor.OK, Detail: "2"}}
	unfit := append(fit, doctor.Check{Name: "memory", Status: doctor.Fail, Detail: "1.0 GB", Remedy: "more"})
	warned := []doctor.Check{{Name: "cpus", Status: doctor.Warn, Detail: "1", Remedy: "more"}}
	tests := []struct {
		name   string
		checks []doctor.Check
		args   []string
		want   string
		unfit  bool
	}{
		{"table is the default", fit, nil, "fit: 1 ok, 0 to watch, 0 failed\n", false},
		{"warnings are fit", warned, nil, "remedy: more", false},
		{"json", fit, []string{"-o", "json"}, `"fit": true`, false},
		{"yaml", fit, []string{"--output=yaml"}, "fit: true\n", false},
		{"a failure is told and returned", unfit, []string{"-o", "yaml"}, "status: fail", true},
		{"nothing checked", nil, nil, "not fit", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, err := examined(test.checks, nil, test.args...)
			if errors.Is(err, doctor.ErrUnfit) != test.unfit || !test.unfit && err != nil {
				t.Errorf("error %v", err)
			}
			if !strings.Contains(out, test.want) {
				t.Errorf("no %q in:\n%s", test.want, out)
			}
		})
	}
}

func TestDoctorCommandRefuses(t *testing.T) {
	for _, args := range [][]string{{"-o", "xml"}, {"more"}, {"--none"}} {
		out, err := examined([]doctor.Check{{Name: "cpus", Status: doctor.OK}}, nil, args...)
		if err == nil || errors.Is(err, doctor.ErrUnfit) {
			t.Errorf("%v: error %v", args, err)
		}
		if out != "" {
			t.Errorf("%v: wrote %s", args, out)
		}
	}
	gone := errors.New("no home")
	if _, err := examined(nil, gone); !errors.Is(err, gone) || errors.Is(err, doctor.ErrUnfit) {
		t.Errorf("checks cannot be made: error %v", err)
	}
}

func TestNewDoctorCommand(t *testing.T) {
	if cmd := newDoctorCommand(); cmd.Name() != "doctor" || cmd.RunE == nil {
		t.Errorf("the verb is %q", cmd.Name())
	}
}

package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/matrix/policy"
)

// policyFlag adds the flag that names a policy file.
func policyFlag(cmd *cobra.Command, file *string, usage string) {
	cmd.Flags().StringVar(file, "policy", "", usage)
	if err := cmd.MarkFlagFilename("policy", "yaml", "yml"); err != nil {
		panic(err) // impossible: the flag was added a line before
	}
}

// loadPolicy reads a policy file; nil where none is named.
func loadPolicy(file string) (*policy.File, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("reading the policy: %w", err)
	}
	f, err := policy.Load(file, data)
	if err != nil {
		return nil, &usageError{err}
	}
	return f, nil
}

// policyOf is what a file says; without one, what tolerates nothing.
func policyOf(f *policy.File) result.Policy {
	if f == nil {
		return result.DefaultPolicy()
	}
	return f.Policy
}

// selectPolicy reads the policy and holds it against what is selected, before
// anything costs time. Its rules on cases have to wait for the release.
func (o *runOptions) selectPolicy(s *selected) error {
	f, err := loadPolicy(o.policy)
	if f == nil || err != nil {
		return err
	}
	var plan result.Plan
	for _, cell := range s.Cells {
		planned := result.PlanCell{ID: cell.ID}
		for _, name := range s.suites {
			planned.Suites = append(planned.Suites, result.PlanSuite{Name: name})
		}
		plan.Cells = append(plan.Cells, planned)
	}
	s.policy = f
	return usage(f.Check(plan, policy.Selection))
}

// fits holds the policy against the whole plan.
func (s selected) fits(plan run.Plan) error {
	if s.policy == nil {
		return nil
	}
	return usage(s.policy.Check(plan.Judged(), policy.Everything))
}

// measureBy judges a recorded run by another policy than its plan's.
func (r *record) measureBy(file string) error {
	f, err := loadPolicy(file)
	if f == nil || err != nil {
		return err
	}
	r.policy = f.Policy
	return usage(f.Check(r.plan.Judged(), policy.Recorded))
}

// usage makes an error one of the user's.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

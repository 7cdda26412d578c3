package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/matrix"
)

// completeFlag tells the shells what values a flag can have.
func completeFlag(cmd *cobra.Command, flag string, values func(typed string) []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return values(typed), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // impossible: the flag was added a line before
	}
}

// completeList is completeFlag for values that can be joined by commas.
func completeList(cmd *cobra.Command, flag string, values func() []string) {
	completeFlag(cmd, flag, func(typed string) []string {
		before := typed[:strings.LastIndex(typed, ",")+1]
		all := values()
		for i := range all {
			all[i] = before + all[i]
		}
		return all
	})
}

// completeRuns completes the one argument that names a run.
func completeRuns(results *string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return runsBelow(*results), cobra.ShellCompDirectiveDefault
	}
}

// complete tells the shells what the flags of run select from.
func (o *runOptions) complete(cmd *cobra.Command) {
	completeList(cmd, "os", func() []string { return o.known(matrix.OS) })
	completeList(cmd, "containerd", func() []string { return o.known(matrix.Containerd) })
	completeList(cmd, "k8s", func() []string { return append(o.known(matrix.K8s), "latest", "n-1") })
	completeFlag(cmd, "tier", func(string) []string { return matrix.Tiers() })
	completeList(cmd, "provisioner", func() []string {
		var names []string
		for _, e := range o.w.entries() {
			names = append(names, e.Name)
		}
		return names
	})
	completeFlag(cmd, "conformance", func(string) []string {
		var names []string
		if suite, err := o.w.suite(conformanceSuite); err == nil {
			for _, m := range suite.Modes {
				names = append(names, m.Name)
			}
		}
		return names
	})
	completeFlag(cmd, "backend", func(string) []string {
		var names []string
		if suite, err := o.w.suite(conformanceSuite); err == nil {
			for _, b := range suite.Backends {
				names = append(names, b.Name)
			}
		}
		return names
	})
	completeList(cmd, "suite", func() []string {
		var names []string
		for _, s := range o.w.suites() {
			names = append(names, s.Name)
		}
		return names
	})
}

// known lists what selects values of an axis, without any complaint: whoever
// presses Tab wants none.
func (o *runOptions) known(axis string) []string {
	m, err := o.loadMatrix()
	if err != nil {
		return nil
	}
	a, _ := m.Axis(axis)
	var names []string
	seen := map[string]bool{"": true}
	for _, value := range a.Values {
		for _, name := range append([]string{value.Name, value.Family}, value.Aliases...) {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// resultsFlag adds the flag that says where runs are.
func resultsFlag(cmd *cobra.Command, results *string) {
	cmd.Flags().StringVar(results, "results", "results", "directory for results")
	if err := cmd.MarkFlagDirname("results"); err != nil {
		panic(err) // impossible: the flag was added a line before
	}
}

// runsBelow lists the runs of a results directory, latest among them.
func runsBelow(results string) []string {
	plans, err := filepath.Glob(filepath.Join(results, "*", "plan.json"))
	if err != nil {
		return nil
	}
	var names []string
	for _, plan := range plans {
		names = append(names, filepath.Base(filepath.Dir(plan)))
	}
	return names
}

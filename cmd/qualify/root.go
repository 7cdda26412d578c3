package main

import (
	"github.com/spf13/cobra"
)

const rootLong = `qualify takes a candidate release of a Kubernetes distribution to real clusters,
runs real tests in them, and answers with a verdict that is bound to the
release's digests: qualified, not qualified, or inconclusive.

Without a verb it runs: qualify --os debian-12 --k8s 1.34

` + exitTable

// newRootCommand is the whole command line. The verbs are listed here and
// nowhere else; run is also what happens without one.
func newRootCommand() *cobra.Command {
	root := newRunCommand()
	root.Use = "qualify"
	root.Short = "Qualify a Kubernetes release on real clusters"
	root.Long = rootLong
	root.SilenceUsage = true
	root.SilenceErrors = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(
		newRunCommand(),
		newReleaseCommand(),
		newReportCommand(),
		newJudgeCommand(),
		newGCCommand(),
		newDoctorCommand(),
		newVersionCommand(),
	)
	for _, c := range root.Commands() {
		c.SilenceUsage = true
	}
	return root
}

// noArgs refuses words that no flag takes: a forgotten "--" or a typo must
// not run something else than was meant.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unknown verb or argument %q; see qualify --help", args[0])
	}
	return nil
}

// oneArg wants exactly one argument, called what.
func oneArg(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("want exactly one argument, %s; got %d", what, len(args))
		}
		return nil
	}
}

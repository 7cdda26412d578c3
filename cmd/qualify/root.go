package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const rootLong = `qualify takes a candidate release of a Kubernetes distribution to real clusters,
runs real tests in them, and answers with a verdict that is bound to the
release's digests: qualified, not qualified, or inconclusive.

Without a verb it runs: qualify --os debian-12 --k8s 1.34

` + environmentHelp + `
` + exitTable

// newRootCommand is the whole command line. The verbs are listed here and
// nowhere else; run is also what happens without one.
func newRootCommand(w wiring) *cobra.Command {
	root := newRunCommand(w)
	root.Use = "qualify"
	root.Args = noArgs
	root.Short = "Qualify a Kubernetes release on real clusters"
	root.Long = rootLong
	root.SilenceUsage = true
	root.SilenceErrors = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(
		newRunCommand(w),
		newPlanCommand(w),
		newResumeCommand(w),
		newReleaseCommand(w),
		newReportCommand(w),
		newJudgeCommand(w),
		newGCCommand(w),
		newDoctorCommand(),
		newSelftestCommand(w),
		newConformanceCommand(w),
		newCNCFCommand(w),
		newImportCommand(w),
		newInventoryCommand(w),
		newVersionCommand(),
	)
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	exacting(root)
	return root
}

// exacting makes every mistake on the command line a usage error, those too that
// cobra answers with its help and no error: exit code 0 means qualified.
func exacting(c *cobra.Command) {
	c.SilenceUsage = true
	args := c.Args
	switch {
	case c.Name() == "help":
		args = knownVerb
	case c.HasSubCommands() && c.HasParent():
		args = noArgs
		c.RunE = func(c *cobra.Command, _ []string) error {
			return usagef("which one? %s; see %s --help", strings.Join(verbs(c), ", "), c.CommandPath())
		}
	}
	c.Args = func(c *cobra.Command, given []string) error {
		err := noEmptyFlags(c)
		if err == nil && args != nil {
			err = args(c, given)
		}
		var usage *usageError
		if err == nil || errors.As(err, &usage) {
			return err
		}
		return &usageError{err}
	}
	for _, sub := range c.Commands() {
		exacting(sub)
	}
}

// noEmptyFlags refuses a flag that was given as nothing, as --release "$WANTED"
// is where WANTED is not set: what would be tested then is something else than
// what was meant, and a good verdict on it misleads.
func noEmptyFlags(c *cobra.Command) error {
	var problems []error
	c.Flags().Visit(func(f *pflag.Flag) {
		if v := f.Value.String(); v == "" || v == "[]" {
			problems = append(problems, fmt.Errorf("--%s is empty: give it a value or leave it out", f.Name))
		}
	})
	return errors.Join(problems...)
}

func verbs(c *cobra.Command) []string {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	slices.Sort(names)
	return names
}

// knownVerb refuses words that lead to no verb.
func knownVerb(c *cobra.Command, args []string) error {
	_, rest, err := c.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return usagef("unknown verb %q; see qualify --help", strings.Join(args, " "))
	}
	return nil
}

// noArgs refuses words that no flag takes: a forgotten "--" or a typo must
// not run something else than was meant.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unknown verb or argument %q; see qualify --help", args[0])
	}
	return nil
}

// atMostOneArg wants one argument, called what, or none.
func atMostOneArg(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usagef("want at most one argument, %s; got %d", what, len(args))
		}
		return nil
	}
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

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// envPrefix begins the names of the variables that stand in for flags.
const envPrefix = "QUALIFY_"

const environmentHelp = `Every flag of run can also be given by a variable: QUALIFY_OS for --os,
QUALIFY_K8S for --k8s, QUALIFY_NO_LIVE for --no-live, and so on. A flag beats its
variable; an empty variable is a mistake, as an empty flag is. The verbs that
read runs take QUALIFY_RESULTS too. NO_COLOR switches colours off, CI the live
view.
`

// variable is the name of the one that stands in for a flag.
func variable(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment gives the flags that were not typed the values of their
// variables, and returns the assignments that took effect. only restricts it
// to some flags; none at all stands for every one.
func (w wiring) fromEnvironment(cmd *cobra.Command, only ...string) ([]string, error) {
	var used []string
	var problems []error
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || len(only) > 0 && !slices.Contains(only, f.Name) {
			return
		}
		name := variable(f.Name)
		value, set := w.lookup(name)
		if !set {
			return
		}
		err := cmd.Flags().Set(f.Name, value)
		if value == "" {
			err = errors.New("it is empty: give it a value or unset it")
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("variable %s: %w", name, err))
			return
		}
		used = append(used, name+"="+value)
	})
	if len(problems) > 0 {
		return nil, &usageError{errors.Join(problems...)}
	}
	return used, nil
}

// blameEnvironment names the variables that a usage error may come from: who
// looks at the command line alone would look in vain.
func blameEnvironment(err error, used []string) error {
	var usage *usageError
	if len(used) == 0 || !errors.As(err, &usage) {
		return err
	}
	return usagef("%w\n(from the environment: %s)", err, strings.Join(quoted(used), " "))
}

// on tells whether a variable is set to anything.
func (w wiring) on(name string) bool {
	value, _ := w.lookup(name)
	return value != ""
}

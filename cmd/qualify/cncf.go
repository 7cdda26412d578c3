package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/cncf"
	"github.com/qualify-dev/qualify/internal/report"
)

func newCNCFCommand(w wiring) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cncf",
		Short: "Check and make submissions to the Certified Kubernetes programme",
	}
	cmd.AddCommand(newCNCFLintCommand(), newCNCFBundleCommand(w))
	return cmd
}

// lintOptions are the flags by which a submission is measured.
type lintOptions struct {
	asOf, title, tests, format string
	strict                     bool
}

// flags adds those that every verb has that measures a submission.
func (o *lintOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.asOf, "as-of", "", "day of the submission, as 2026-11-25: it decides which Kubernetes releases are open (default: today)")
	f.StringVar(&o.tests, "conformance-yaml", "", "the release's list of required tests instead of the one that comes with the program")
	outputFlag(cmd, &o.format)
}

func newCNCFLintCommand() *cobra.Command {
	var o lintOptions
	cmd := &cobra.Command{
		Use:   "lint DIR",
		Short: "Check a submission, whoever made it, by the programme's rules",
		Long: `Checks the directory vX.Y/<product> of a submission by the rules of the
programme's bot and by those of its written instructions. Each rule that does
not hold is a finding with what was wanted and what was found. What no rule
forbids or the files do not prove is a doubt: it is shown, and refuses with
--strict, which is right for gates. Addresses are not looked up.

Exit codes: 0 accepted, 1 refused, 2 usage.`,
		Example: `  qualify cncf lint v1.37/turbo-encabulator
  qualify cncf lint v1.28/turbo-encabulator --as-of 2023-09-01 --strict -o json
  qualify cncf lint v1.31/x --as-of 2024-09-01 --conformance-yaml kubernetes/test/conformance/testdata/conformance.yaml`,
		Args: oneArg("the directory of a submission"),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := o.options()
			if err != nil {
				return err
			}
			place, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			found, err := lintDirectory(args[0], place, options)
			if err != nil {
				return usagef("%w", err)
			}
			return o.answer(cmd, found, "")
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.strict, "strict", false, "refuse by doubts too")
	cmd.Flags().StringVar(&o.title, "title", "", "title of the pull request, to be checked too")
	return cmd
}

// options reads what the flags say.
func (o *lintOptions) options() (cncf.Options, error) {
	options := cncf.Options{AsOf: now(), Strict: o.strict, Title: o.title}
	if o.asOf != "" {
		day, err := time.Parse(time.DateOnly, o.asOf)
		if err != nil {
			return options, usagef("--as-of %q is no day: write it as 2026-11-25", o.asOf)
		}
		options.AsOf = day
	}
	if o.tests != "" {
		f, err := os.Open(o.tests)
		if err != nil {
			return options, usagef("--conformance-yaml: %w", err)
		}
		defer f.Close()
		if options.Tests, err = cncf.ParseTests(f); err != nil {
			return options, usagef("--conformance-yaml %s: %w", o.tests, err)
		}
	}
	return options, nil
}

// lintDirectory measures a directory that is known by a place, opened in a way
// that no link leads out of it.
func lintDirectory(dir, place string, options cncf.Options) (cncf.Report, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return cncf.Report{}, fmt.Errorf("opening submission: %w", err)
	}
	defer root.Close()
	return cncf.Lint(root.FS(), filepath.ToSlash(place), options)
}

// answer prints what was found and turns it into the exit code. Written is
// where a bundle was put, if one was.
func (o *lintOptions) answer(cmd *cobra.Command, found cncf.Report, written string) error {
	data := struct {
		cncf.Report
		Written string `json:"written,omitempty"`
	}{found, written}
	err := printAs(cmd.OutOrStdout(), o.format, data, func() string {
		text := lintTable(found)
		if written != "" {
			text += "\nwritten  " + report.Console(written) + "\n"
		}
		return text
	})
	if err == nil && !found.Accepted {
		err = &verdictError{exitNotQualified}
	}
	return err
}

func lintTable(found cncf.Report) string {
	var text strings.Builder
	word := "accepted"
	if !found.Accepted {
		word = "refused"
	}
	hint := ""
	if found.Accepted && len(found.Doubts) > 0 {
		hint = "; a reviewer may ask about doubts, and --strict refuses by them"
	}
	fmt.Fprintf(&text, "%s  %s as of %s: %s, %s%s\n", word, report.Console(found.Directory), found.AsOf,
		counted(len(found.Findings), "finding"), counted(len(found.Doubts), "doubt"), hint)
	for _, group := range []struct {
		word string
		list []cncf.Finding
	}{{"refused", found.Findings}, {"doubt", found.Doubts}, {"note", found.Notes}} {
		for _, f := range group.list {
			fmt.Fprintf(&text, "\n%-8s %s\n", group.word, f.Rule)
			for _, line := range [][2]string{{"wanted", f.Want}, {"found", f.Got}, {"", f.Text}} {
				fmt.Fprintf(&text, "  %-7s%s\n", line[0], report.Console(line[1]))
			}
			text.WriteString(testLines(f.Tests))
		}
	}
	return text.String()
}

// testLines lists the tests that a finding is about, to a length that is read.
func testLines(names []string) string {
	const most = 20
	var text strings.Builder
	for i, name := range names {
		if i == most {
			fmt.Fprintf(&text, "         … and %d more; all of them with -o json\n", len(names)-most)
			break
		}
		fmt.Fprintf(&text, "         - %s\n", report.Console(name))
	}
	return text.String()
}

// counted writes a number of things.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

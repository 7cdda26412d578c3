package main

import (
	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/report"
)

func newReportCommand(w wiring) *cobra.Command {
	return readingCommand(w, &cobra.Command{
		Use:   "report RUN",
		Short: "Write a finished run's reports again from its journal; exits with its code",
	}, func(cmd *cobra.Command, r record) error {
		built, err := r.writeReports(w.sink)
		if err != nil {
			return err
		}
		newAnswer(cmd.OutOrStdout(), w).print(r, built)
		return verdictOf(built.Document.ExitCode)
	})
}

func newJudgeCommand(w wiring) *cobra.Command {
	return readingCommand(w, &cobra.Command{
		Use:   "judge RUN",
		Short: "Judge a run again from its journal: prints verdict.json, exits with its code",
	}, func(cmd *cobra.Command, r record) error {
		doc := r.judge()
		if err := report.WriteVerdict(cmd.OutOrStdout(), doc); err != nil {
			return err
		}
		return verdictOf(doc.ExitCode)
	})
}

// readingCommand completes a verb that does something with a recorded run.
func readingCommand(w wiring, cmd *cobra.Command, do func(*cobra.Command, record) error) *cobra.Command {
	var results, policy string
	cmd.Args = oneArg("a run directory, a run id or latest")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := w.fromEnvironment(cmd, "results"); err != nil {
			return err
		}
		r, err := openRun(results, args[0])
		if err != nil {
			return err
		}
		if err := r.measureBy(policy); err != nil {
			return err
		}
		return do(cmd, r)
	}
	cmd.ValidArgsFunction = completeRuns(&results)
	resultsFlag(cmd, &results)
	policyFlag(cmd, &policy, "measure the run by this policy file instead of its plan's")
	return cmd
}

// verdictOf carries the code of a verdict that has been shown: 0 is no error.
func verdictOf(code int) error {
	if code == exitQualified {
		return nil
	}
	return &verdictError{code}
}

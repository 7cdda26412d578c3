package main

import (
	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/report"
)

func newReportCommand() *cobra.Command {
	var results string
	cmd := &cobra.Command{
		Use:   "report RUN",
		Short: "Write a finished run's reports again from its journal",
		Args:  oneArg("a run directory, a run id or latest"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := openRun(results, args[0])
			if err != nil {
				return err
			}
			built, err := r.writeReports()
			if err != nil {
				return err
			}
			printAnswer(cmd.OutOrStdout(), r, built)
			return nil
		},
	}
	cmd.Flags().StringVar(&results, "results", "results", "directory for results")
	return cmd
}

func newJudgeCommand() *cobra.Command {
	var results string
	cmd := &cobra.Command{
		Use:   "judge RUN",
		Short: "Judge a run again from its journal: prints verdict.json, exits with its code",
		Args:  oneArg("a run directory, a run id or latest"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := openRun(results, args[0])
			if err != nil {
				return err
			}
			doc := r.judge()
			if err := report.WriteVerdict(cmd.OutOrStdout(), doc); err != nil {
				return err
			}
			if doc.ExitCode != exitQualified {
				return &verdictError{doc.ExitCode}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&results, "results", "results", "directory for results")
	return cmd
}

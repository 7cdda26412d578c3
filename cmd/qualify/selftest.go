package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/scratch"
	"github.com/qualify-dev/qualify/internal/selftest"
)

func newSelftestCommand(w wiring) *cobra.Command {
	var results, format string
	cmd := &cobra.Command{
		Use:   "selftest [RUN]",
		Short: "Spoil a qualified run in every known way and show that the gate refuses each",
		Long: `Takes a run that qualified a release, spoils its plan, its journal and its
description in every way of a catalogue, and judges each as "qualify judge"
would. Among them are the false greens that other projects have had. Without
RUN it takes a recorded run that comes with the program. Runs are copied and
not changed.

Exit codes: 0 all were refused, 1 at least one was not, 2 usage, 3 the run
itself is not qualified, so that a refusal would show nothing.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("want one run at most; got %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := w.fromEnvironment(cmd, "results"); err != nil {
				return err
			}
			return w.selftest(cmd, results, format, args)
		},
	}
	cmd.ValidArgsFunction = completeRuns(&results)
	resultsFlag(cmd, &results)
	outputFlag(cmd, &format)
	return cmd
}

// selftest checks the gate with the given run, or with the recorded one, to
// which every mutation must be applicable.
func (w wiring) selftest(cmd *cobra.Command, results, format string, args []string) error {
	taken, name, err := selftestRun(results, args)
	if err != nil {
		return err
	}
	dir, remove, err := scratch.Dir("selftest")
	if err != nil {
		return err
	}
	found, err := selftest.Check(taken, w.gate(cmd.Context(), dir), selftest.Catalogue())
	if err := errors.Join(err, remove()); err != nil {
		return err
	}
	return selftestAnswer(cmd.OutOrStdout(), format, name, found)
}

// recordedRun is how the run that comes with the program is called.
const recordedRun = "the recorded run"

// selftestAnswer prints what was found and turns it into the exit code.
func selftestAnswer(out io.Writer, format, name string, found []selftest.Result) error {
	summary := selftest.Summarize(found, name == recordedRun)
	err := printAs(out, format, summary, func() string { return selftestTable(name, found, summary) })
	if err != nil || summary.Passed() {
		return err
	}
	return &verdictError{exitNotQualified}
}

// selftestRun reads the files of a run and how to call it.
func selftestRun(results string, args []string) (selftest.Run, string, error) {
	if len(args) == 0 {
		r, err := selftest.Recorded()
		return r, recordedRun, err
	}
	r, err := openRun(results, args[0])
	if err != nil {
		return selftest.Run{}, "", err
	}
	plan, err1 := os.ReadFile(r.dir.file("plan.json"))
	journal, err2 := os.ReadFile(r.dir.file("journal.jsonl"))
	info, err3 := os.ReadFile(r.dir.file("run.json"))
	return selftest.Run{Plan: plan, Journal: journal, Info: info}, "run " + r.dir.id, errors.Join(err1, err2, err3)
}

// gate is the gate as a release meets it: the verb judge of this program, from
// its words on the command line to its exit code. A run is what stands in a
// directory, so each goes through one.
func (w wiring) gate(ctx context.Context, dir string) selftest.Gate {
	w.args = []string{"judge", "--results", dir, "run"}
	return func(r selftest.Run) (selftest.Answer, error) {
		if err := ctx.Err(); err != nil {
			return selftest.Answer{}, err // an answer now would be about the interrupt
		}
		if err := writeRun(filepath.Join(dir, "run"), r); err != nil {
			return selftest.Answer{}, err
		}
		var stdout, stderr bytes.Buffer
		return answerOf(w.main(ctx, &stdout, &stderr), stdout.Bytes(), stderr.String()), nil
	}
}

// writeRun leaves out what is nil, as a lost file would be. Nothing is synced,
// for nothing of it has to last.
func writeRun(dir string, r selftest.Run) error {
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return fmt.Errorf("writing a spoilt run: %w", err)
	}
	for name, data := range map[string][]byte{"plan.json": r.Plan, "journal.jsonl": r.Journal, "run.json": r.Info} {
		if data == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return fmt.Errorf("writing a spoilt run: %w", err)
		}
	}
	return nil
}

// answerOf reads what the verb judge printed.
func answerOf(exit int, stdout []byte, stderr string) selftest.Answer {
	var doc result.Document
	if len(stdout) == 0 || json.Unmarshal(stdout, &doc) != nil {
		return selftest.Answer{Exit: exit, Codes: []string{selftest.Unreadable}, Text: strings.TrimSpace(stderr)}
	}
	answer := selftest.Answer{Exit: exit, Verdict: doc.Verdict.String()}
	for _, reason := range doc.Reasons {
		answer.Codes = append(answer.Codes, reason.Code)
		answer.Text = cmp.Or(answer.Text, reason.Text)
	}
	return answer
}

func selftestTable(name string, found []selftest.Result, summary selftest.Summary) string {
	var text strings.Builder
	skipped := 0
	for _, r := range found {
		exit := fmt.Sprint(r.Answer.Exit)
		if r.Status == selftest.NotApplicable {
			exit = "-"
			skipped++
		}
		about := r.Mutation.Imitates
		if r.Mutation.Project != "" {
			about = r.Mutation.Project + ": " + about
		}
		fmt.Fprintf(&text, "%-14s  %3s  %-18s  %-34s  %s\n", r.Status, exit, report.Console(mainCode(r)), r.Mutation.ID, about)
	}
	fmt.Fprintf(&text, "%d mutations of %s: %d refused, %d escaped", summary.Mutations, name, summary.Refused, len(summary.Escaped))
	if skipped > 0 {
		fmt.Fprintf(&text, ", %d not applicable", skipped)
	}
	return text.String() + "\n"
}

// mainCode is the code of the reason that the mutation aims at, if it is among
// those that were given.
func mainCode(r selftest.Result) string {
	codes := append(slices.Clone(r.Answer.Codes), "-")
	for _, code := range r.Mutation.Wants {
		if slices.Contains(codes, code) {
			return code
		}
	}
	return codes[0]
}

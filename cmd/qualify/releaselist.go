package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/remote"
	"github.com/qualify-dev/qualify/internal/support"
)

// listedChannel is one row of release list.
type listedChannel struct {
	support.Channel
	Published int                       `json:"published,omitempty"` // newest release by the channel's file, with --online
	Support   map[string]support.Status `json:"support"`             // by policy
}

func newReleaseListCommand(w wiring) *cobra.Command {
	o := intakeOptions{w: w}
	var asOf, policy string
	var online bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the channels, and by which policies they are supported on a day",
		Long:  "Lists the channels of EKS Distro and until when support policies cover them:\n\n" + policyHelp() + "\nDates come from a table in the program; with -o json each has its source.",
		Example: `  qualify release list
  qualify release list --policy eks-standard --as-of 2026-12-02
  qualify release list --policy upstream --online`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			day := support.Date{Time: now().UTC()}
			var err error
			if asOf != "" {
				if day, err = support.ParseDate(asOf); err != nil {
					return usagef("--as-of: %w", err)
				}
			}
			chosen := support.Policies()
			if policy != "" {
				one, err := support.Find(policy)
				if err != nil {
					return &usageError{err}
				}
				chosen = []support.Policy{one}
			}
			rows, err := listChannels(chosen, day, policy != "")
			if err != nil {
				return err
			}
			if online {
				w, err := o.shop(cmd)
				if err != nil {
					return err
				}
				if err := askPublished(cmd.Context(), w, rows); err != nil {
					return err
				}
			}
			return printAs(cmd.OutOrStdout(), o.format, rows, func() string { return channelTable(rows, chosen, online) })
		},
	}
	cmd.Flags().StringVar(&asOf, "as-of", "", "day, as 2026-11-25 (default: today)")
	cmd.Flags().StringVar(&policy, "policy", "", "list what one policy supports, and nothing else")
	cmd.Flags().BoolVar(&online, "online", false, "ask where releases are published for the newest of each")
	completeFlag(cmd, "policy", func(string) []string {
		var names []string
		for _, p := range support.Policies() {
			names = append(names, p.Name)
		}
		return names
	})
	baseURLFlag(cmd, &o.baseURL)
	outputFlag(cmd, &o.format)
	return cmd
}

func policyHelp() string {
	text := ""
	for _, p := range support.Policies() {
		text += fmt.Sprintf("  %-14s%s\n", p.Name, p.Doc)
	}
	return text
}

// listChannels are those that had a release by the day; only leaves out what
// the policies do not cover.
func listChannels(policies []support.Policy, day support.Date, only bool) ([]*listedChannel, error) {
	known, err := support.Known()
	if err != nil {
		return nil, err
	}
	rows := []*listedChannel{}
	for _, c := range known.Channels {
		if c.First.After(day.Time) {
			continue
		}
		row := &listedChannel{Channel: c, Support: map[string]support.Status{}}
		covered := false
		for _, p := range policies {
			s := p.On(known, c.Name, day)
			row.Support[p.Name] = s
			covered = covered || s.Supported
		}
		if covered || !only {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func askPublished(ctx context.Context, w workshop, rows []*listedChannel) error {
	for _, row := range rows {
		c, err := w.published.Channel(ctx, row.Name, release.Options{})
		var absent *remote.NotThereError
		if errors.As(err, &absent) {
			continue // a bucket of candidates need not have every channel
		}
		if err != nil {
			return err
		}
		row.Published = c.LatestRelease
	}
	return nil
}

func channelTable(rows []*listedChannel, policies []support.Policy, online bool) string {
	header := "CHANNEL\tSINCE"
	if online {
		header += "\tNEWEST"
	}
	for _, p := range policies {
		header += "\t" + p.Name
	}
	return table(header, func(row func(...string)) {
		for _, r := range rows {
			cells := []string{r.Name, r.First.String()}
			if online {
				cells = append(cells, newest(r))
			}
			for _, p := range policies {
				cells = append(cells, supportCell(r.Support[p.Name]))
			}
			row(cells...)
		}
	})
}

func newest(r *listedChannel) string {
	if r.Published == 0 {
		return "-"
	}
	return fmt.Sprintf("eks-d:%s-%d", r.Name, r.Published)
}

func supportCell(s support.Status) string {
	switch {
	case s.Supported && s.End.IsZero():
		return "yes"
	case s.Supported:
		return "until " + s.End.String()
	case s.End.IsZero():
		return "no"
	}
	return "ended " + s.End.String()
}

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/doctor"
)

// newDoctorCommand is the verb that tells whether this host can bring
// clusters up.
func newDoctorCommand() *cobra.Command {
	return doctorCommand(func(ctx context.Context) ([]doctor.Check, error) {
		c, err := cache.Default()
		if err != nil {
			return nil, err
		}
		return doctor.Run(ctx, doctor.Options{CacheDir: c.Dir}), nil
	})
}

// doctorCommand is the verb around a way to make the checks. A host that
// fails one gives an error that wraps doctor.ErrUnfit.
func doctorCommand(examine func(context.Context) ([]doctor.Check, error)) *cobra.Command {
	formats := doctor.Formats()
	format := formats[0]
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Tell whether this host can bring clusters up",
		Long: `Looks at this host and tells what qualify needs and does not find: a container
engine that can run privileged containers, disk, memory, kernel limits, Go, its
modules, and the tools that node images are made with. It changes nothing.

Exit codes: 0 fit (there may be warnings), 2 usage, 3 not fit.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(formats, format) {
				return usagef("no output format %q: choose one of %s", format, strings.Join(formats, ", "))
			}
			checks, err := examine(cmd.Context())
			if err != nil {
				return fmt.Errorf("examining this host: %w", err)
			}
			if err := doctor.Write(cmd.OutOrStdout(), format, checks); err != nil {
				return err
			}
			return doctor.Unfit(checks)
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", format, "output format: "+strings.Join(formats, ", "))
	completeFlag(cmd, "output", func(string) []string { return formats })
	return cmd
}

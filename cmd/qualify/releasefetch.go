package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/release/images"
	"github.com/qualify-dev/qualify/internal/release/intake"
)

// fetched is what release fetch answers.
type fetched struct {
	*intake.Report
	Bundle  *intake.BundleInfo `json:"bundle,omitempty"`
	Mirrors []images.Mirror    `json:"mirrors,omitempty"`
}

func newReleaseFetchCommand(w wiring) *cobra.Command {
	o := intakeOptions{w: w}
	var to, registry string
	cmd := &cobra.Command{
		Use:   "fetch REF [--to DIR] [--registry HOST/PREFIX]",
		Short: "Fetch a release for use, also where there is no network",
		Long: `Fetches and verifies everything that a release has, as verify does; later runs
take it from the store.

With --to it is also written into a new directory: a manifest with relative paths,
the archives, the images as one OCI layout, and a list of the images that tests
want. qualify --release DIR works from that without a network, and the release has the
same digest. With --registry the images are pushed to a mirror under the paths that
they had, and the mapping is shown, and written into DIR as mirrors.yaml.

` + fetchRules + "\n\n" + releaseRefs,
		Example: `  qualify release fetch eks-d:1-34-21
  qualify release fetch eks-d:1-34-21 --to /media/usb/eks-d-1-34-21
  qualify release fetch /media/usb/eks-d-1-34-21 --registry registry.example:5000/eks-d`,
		Args: oneArg("a release"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to != "" {
				if err := intake.CheckTarget(to); err != nil {
					return &usageError{err}
				}
			}
			if registry != "" {
				if err := images.CheckPlace(registry); err != nil {
					return usagef("--registry: %w", err)
				}
			}
			taken, err := o.takeIn(cmd, args[0])
			if err != nil {
				return err
			}
			answer := fetched{Report: taken.report}
			if err := taken.deliver(cmd, to, registry, &answer); err != nil {
				return err
			}
			return printAs(cmd.OutOrStdout(), o.format, answer, func() string { return fetchText(answer, to) })
		},
	}
	o.fetchFlags(cmd)
	cmd.Flags().StringVar(&to, "to", "", "new directory for a bundle")
	cmd.Flags().StringVar(&registry, "registry", "", "push the images to a mirror, HOST/PREFIX")
	return cmd
}

// deliver packs and pushes what was fetched.
func (t takenIn) deliver(cmd *cobra.Command, to, registry string, answer *fetched) error {
	if to != "" {
		info, err := t.intake.Bundle(cmd.Context(), t.rel, t.report, to)
		var target *intake.TargetError
		if errors.As(err, &target) {
			return &usageError{err}
		} else if err != nil {
			return err
		}
		answer.Bundle = &info
	}
	if registry == "" {
		return nil
	}
	var err error
	answer.Mirrors, err = t.intake.Push(cmd.Context(), t.report, to, registry)
	return err
}

func fetchText(f fetched, to string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s: %d assets, %s\n", f.Release, f.Digest, len(f.Rows), bytesText(f.Bytes))
	if f.Bundle != nil {
		fmt.Fprintf(&text, "bundle   %s\nrun it   qualify --release %s\n", to, to)
	}
	for _, m := range f.Mirrors {
		fmt.Fprintf(&text, "mirror   %s is at %s\n", m.Source, m.Mirror)
	}
	return text.String()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/scratch"
)

type rebuildOptions struct {
	format, checksums string
	cold, noLive      bool
}

func newReleaseRebuildCommand(w wiring) *cobra.Command {
	var o rebuildOptions
	cmd := &cobra.Command{
		Use:   "rebuild REF",
		Short: "Build a release again and compare digest by digest",
		Long: `Builds a release of this program (source:v1.34.4, or the manifest of one, in
either layout) once more, away from everything that earlier builds left in the
cache, and compares every digest. The go command's own cache is used, unless
--cold is given: then nothing is, and all is compiled anew.

What EKS Distro published cannot be built again; each asset says why. The
CHECKSUMS that its builders committed, as they did until October 2025, are
compared with the manifest where --checksums names them.

Exit codes: 0 all equal; 1 something differs; 2 usage; 3 nothing differs, but
not everything could be built again, or the build failed.`,
		Example: `  qualify release rebuild source:v1.34.4
  qualify release rebuild kubernetes-1-31-eks-31.yaml --checksums CHECKSUMS -o json`,
		Args: oneArg("a release"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := w.fromEnvironment(cmd, "no-live"); err != nil {
				return err
			}
			shop, err := w.workshop()
			if err != nil {
				return err
			}
			ui := w.newConsole(cmd.ErrOrStderr(), o.noLive)
			defer ui.close()
			answer, err := shop.rebuild(cmd.Context(), args[0], o, ui)
			ui.close()
			if err != nil {
				return err
			}
			if err := printAs(cmd.OutOrStdout(), o.format, answer, answer.table); err != nil {
				return err
			}
			return answer.verdict()
		},
	}
	outputFlag(cmd, &o.format)
	cmd.Flags().BoolVar(&o.cold, "cold", false, "use nothing that was compiled before")
	cmd.Flags().StringVar(&o.checksums, "checksums", "", "file with the CHECKSUMS of an EKS Distro release's tag")
	noLiveFlag(cmd, &o.noLive)
	return cmd
}

// rebuildAnswer is what the verb prints.
type rebuildAnswer struct {
	Release string
	Digest  string
	Rebuild string `json:",omitempty"` // digest of what the rebuild made
	Counts  map[source.Agreement]int
	Assets  []source.Rebuilt
}

// rebuild finds everything out that can be wrong with its input before it builds.
func (w workshop) rebuild(ctx context.Context, text string, o rebuildOptions, ui console) (rebuildAnswer, error) {
	if o.format != "table" && o.format != "json" && o.format != "yaml" {
		return rebuildAnswer{}, printAs(io.Discard, o.format, nil, nil)
	}
	rel, err := w.resolve(ctx, text, ui.step)
	if err != nil {
		return rebuildAnswer{}, err
	}
	var sums source.Checksums
	if o.checksums != "" {
		if sums, err = readChecksums(o.checksums, rel.Channel); err != nil {
			return rebuildAnswer{}, &usageError{err}
		}
	}
	answer := rebuildAnswer{Release: rel.Name, Digest: rel.Digest(), Counts: map[source.Agreement]int{}}
	if reason := source.Unbuildable(rel); reason != "" {
		answer.Assets = source.NotRebuildable(rel, reason)
	} else if err := w.again(ctx, rel, o, ui, &answer); err != nil {
		return rebuildAnswer{}, err
	}
	sums.Hold(answer.Assets)
	for _, one := range answer.Assets {
		answer.Counts[one.Agreement]++
	}
	return answer, nil
}

// again builds the release in a cache of its own and compares.
func (w workshop) again(ctx context.Context, rel *release.Release, o rebuildOptions, ui console, answer *rebuildAnswer) (err error) {
	options, err := source.OptionsOf(rel)
	if err != nil {
		return &usageError{err}
	}
	dir, remove, err := scratch.Dir("rebuild")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	options.Cache, options.Progress = cache.Cache{Dir: filepath.Join(dir, "cache")}, ui.step
	if o.cold {
		options.GoCache = filepath.Join(dir, "go")
	}
	manifest, err := source.Build(ctx, options)
	if err != nil {
		return fmt.Errorf("rebuilding %s: %w", rel.Name, err)
	}
	again, err := release.Load(release.Ref{Kind: release.PathRef, Value: manifest}, release.Options{})
	if err != nil {
		return fmt.Errorf("rebuilding %s: %w", rel.Name, err)
	}
	answer.Rebuild, answer.Assets = again.Digest(), source.Compare(rel, again)
	store := &release.Store{Dir: filepath.Join(dir, "store")}
	for i, one := range answer.Assets {
		if one.Agreement == source.Different && one.Reason == "" && strings.HasPrefix(one.Asset, "bin/") && !strings.HasSuffix(one.Asset, ".tar") {
			answer.Assets[i].Reason = w.explain(ctx, rel, again, store, one.Asset)
		}
	}
	return nil
}

// explain looks at two programs that differ. Where it cannot, the difference
// stands without a reason.
func (w workshop) explain(ctx context.Context, rel, again *release.Release, store *release.Store, asset string) string {
	mine, err := w.store.Fetch(ctx, rel, asset)
	if err != nil {
		return err.Error()
	}
	other, err := store.Fetch(ctx, again, asset)
	if err != nil {
		return err.Error()
	}
	return source.ExplainProgram(mine, other)
}

// mostChecksums bounds the file in bytes; real ones have a few kilobytes.
const mostChecksums = 1 << 20

func readChecksums(file, channel string) (source.Checksums, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("--checksums: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostChecksums+1))
	if err != nil {
		return nil, fmt.Errorf("--checksums: %w", err)
	}
	if len(text) > mostChecksums {
		return nil, fmt.Errorf("--checksums %s: it has more than %d bytes", file, mostChecksums)
	}
	return source.ParseChecksums(file, string(text), channel)
}

// verdict is the exit code: nothing reads as success that is not proven.
func (a rebuildAnswer) verdict() error {
	switch {
	case a.Counts[source.Different] > 0:
		return &verdictError{exitNotQualified}
	case a.Counts[source.NotRebuilt] > 0 || a.Counts[source.Equal] == 0:
		return &verdictError{exitInconclusive}
	}
	return nil
}

func (a rebuildAnswer) table() string {
	var text strings.Builder
	fmt.Fprintf(&text, "release  %s\ndigest   %s\n", a.Release, a.Digest)
	if a.Rebuild != "" {
		fmt.Fprintf(&text, "rebuild  %s\n", a.Rebuild)
	}
	fmt.Fprintln(&text)
	t := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "COMPONENT\tASSET\tREBUILD\tREASON")
	for _, one := range a.Assets {
		reason := one.Reason
		if one.Agreement == source.Different {
			reason = strings.TrimPrefix(fmt.Sprintf("%s; want %s, got %s", reason, one.Want, one.Got), "; ")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", one.Component, one.Asset, one.Agreement, reason)
	}
	_ = t.Flush()
	fmt.Fprintf(&text, "\n%d equal, %d different, %d not rebuildable\n", a.Counts[source.Equal], a.Counts[source.Different], a.Counts[source.NotRebuilt])
	return text.String()
}

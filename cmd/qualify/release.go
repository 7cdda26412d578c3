package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/source"
)

func newReleaseCommand(w wiring) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Build and inspect candidate releases",
	}
	cmd.AddCommand(newReleaseBuildCommand(w), newReleaseShowCommand())
	return cmd
}

func newReleaseBuildCommand(w wiring) *cobra.Command {
	var k8s, out string
	var replace []string
	var noLive bool
	cmd := &cobra.Command{
		Use:   "build --k8s v1.34.4 [--out DIR]",
		Short: "Build a complete candidate from Go modules",
		Long: `Build compiles Kubernetes and what a cluster needs around it from Go modules,
packs the archives and images, and writes a manifest in the EKS Distro format.
It prints the manifest's path. A second build compiles nothing.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := cache.Default()
			if err != nil {
				return err
			}
			own, err := replacements(replace)
			if err != nil {
				return err
			}
			if k8s == "" {
				return usagef("which version? for example: qualify release build --k8s v1.34.4")
			}
			if !strings.HasPrefix(k8s, "v") {
				k8s = "v" + k8s
			}
			if _, err := w.fromEnvironment(cmd, "no-live"); err != nil {
				return err
			}
			ui := w.newConsole(cmd.ErrOrStderr(), noLive)
			defer ui.close()
			manifest, err := source.Build(cmd.Context(), source.Options{Version: k8s, Out: out, Cache: c, Replace: own, Progress: ui.step})
			ui.close()
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), manifest)
			return nil
		},
	}
	cmd.Flags().StringVar(&k8s, "k8s", "", "exact Kubernetes version, e.g. v1.34.4")
	cmd.Flags().StringVar(&out, "out", "", "directory for the release (default: it stays in the cache)")
	cmd.Flags().StringArrayVar(&replace, "replace", nil, "put your own program in, as bin/linux/amd64/kubelet=FILE (repeatable)")
	noLiveFlag(cmd, &noLive)
	return cmd
}

// replacements reads ASSET=FILE pairs.
func replacements(pairs []string) (map[string]string, error) {
	own := map[string]string{}
	for _, pair := range pairs {
		asset, file, ok := strings.Cut(pair, "=")
		if !ok || asset == "" || file == "" {
			return nil, usagef("--replace %q: want ASSET=FILE, e.g. bin/linux/amd64/kubelet=./kubelet", pair)
		}
		if _, again := own[asset]; again {
			return nil, usagef("--replace names %s twice", asset)
		}
		if _, err := os.Stat(file); err != nil {
			return nil, usagef("--replace %s: %w", asset, err)
		}
		own[asset] = file
	}
	return own, nil
}

func newReleaseShowCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "show MANIFEST",
		Short: "Show a release's components, assets and digests",
		Args:  oneArg("a manifest or the directory that holds it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := release.ParseRef(args[0])
			if err != nil {
				return &usageError{err}
			}
			rel, err := release.Load(ref, release.Options{})
			if err != nil {
				return &usageError{err}
			}
			data := struct {
				*release.Release
				Kubernetes string
				Digest     string
			}{rel, rel.Kubernetes(), rel.Digest()}
			return printAs(cmd.OutOrStdout(), format, data, func() string { return releaseTable(rel) })
		},
	}
	outputFlag(cmd, &format)
	return cmd
}

func releaseTable(rel *release.Release) string {
	var text strings.Builder
	fmt.Fprintf(&text, "name        %s\nkubernetes  %s\nchannel     %s\nnumber      %d\ndate        %s\ndigest      %s\n\n",
		rel.Name, rel.Kubernetes(), rel.Channel, rel.Number, rel.Date, rel.Digest())
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "COMPONENT\tTAG\tASSET\tDIGEST")
	for _, c := range rel.Components {
		for _, a := range c.Assets {
			digest := a.Digest
			if a.Type == release.Archive && a.SHA256 != "" {
				digest = "sha256:" + a.SHA256
			}
			if digest == "" {
				digest = "none"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Name, c.GitTag, a.Name, digest)
		}
	}
	_ = w.Flush()
	return text.String()
}

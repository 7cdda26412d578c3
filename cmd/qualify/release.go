package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/release/source"
)

func newReleaseCommand(w wiring) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Build and inspect candidate releases",
	}
	cmd.AddCommand(
		newReleaseBuildCommand(w),
		newReleaseRebuildCommand(w),
		newReleaseShowCommand(w),
		newReleaseListCommand(w),
		newReleaseImagesCommand(w),
		newReleaseDiffCommand(w),
		newReleaseVerifyCommand(w),
		newReleaseFetchCommand(w),
	)
	return cmd
}

func newReleaseBuildCommand(w wiring) *cobra.Command {
	var k8s, out string
	var layout source.Layout
	var replace []string
	var noLive bool
	cmd := &cobra.Command{
		Use:   "build --k8s v1.34.4 [--layout eks-d] [--out DIR]",
		Short: "Build a complete candidate from Go modules",
		Long: `Build compiles Kubernetes and what a cluster needs around it from Go modules,
packs the archives and images, and writes a manifest in the EKS Distro format.
It prints the manifest's path. A second build compiles nothing.

With --layout eks-d the same content is named, tagged and placed as a release of
EKS Distro is, and Kubernetes says of itself that it is v1.34.4-eks-1-34-1. The
folder can be served as it is: its artifacts by any file server at --base-url,
and the images, which are an OCI layout beside the manifest, by a registry at
--registry. Until they are, both are found where they lie.`,
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
			options := source.Options{Version: k8s, Out: out, Layout: layout, Cache: c, Replace: own}
			if err := options.Check(); err != nil {
				return &usageError{err}
			}
			ui := w.newConsole(cmd.ErrOrStderr(), noLive)
			defer ui.close()
			options.Progress = ui.step
			manifest, err := source.Build(cmd.Context(), options)
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
	cmd.Flags().StringVar(&layout.Name, "layout", source.SourceLayout, "how the release is laid out: "+strings.Join(source.Layouts(), " or "))
	completeFlag(cmd, "layout", func(string) []string { return source.Layouts() })
	cmd.Flags().IntVar(&layout.Number, "number", 0, "number of the release in its channel, for --layout eks-d (default 1)")
	cmd.Flags().StringVar(&layout.BaseURL, "base-url", "", "where the folder will be served, for --layout eks-d (default: files where they lie)")
	cmd.Flags().StringVar(&layout.Registry, "registry", "", "registry and prefix of the images, for --layout eks-d (default "+source.DefaultRegistry+")")
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

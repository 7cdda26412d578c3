package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/release"
)

func newReleaseDiffCommand(w wiring) *cobra.Command {
	o := intakeOptions{w: w}
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two releases, and say what has to be tested again",
		Long: `Compares the manifests of two releases by names and digests: which components
and assets are new, gone or of other bytes, the steps of Kubernetes and etcd, and
which components that has an impact on. An image with a new tag and the same digest
is the same. What has no digest counts as changed. The Go version is known where
the kubelets of both were fetched before. No asset is fetched.

` + releaseRefs,
		Example: `  qualify release diff eks-d:1-34-20 eks-d:1-34-21
  qualify release diff eks-d:1-36 candidate/ -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("want two releases, the old and the new one; got %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := o.shop(cmd)
			if err != nil {
				return err
			}
			var two [2]*release.Release
			var tools [2]string
			for i, text := range args {
				if two[i], err = o.manifest(cmd.Context(), w, text); err != nil {
					return err
				}
				tools[i] = w.store.Toolchain(cmd.Context(), two[i])
			}
			d := release.Diff(two[0], two[1]).WithToolchains(tools[0], tools[1])
			return printAs(cmd.OutOrStdout(), o.format, d, func() string { return diffTable(d) })
		},
	}
	o.flags(cmd)
	return cmd
}

func diffTable(d release.Difference) string {
	var text strings.Builder
	fmt.Fprintf(&text, "from        %s  %s\nto          %s  %s\n", d.From.Name, d.From.Digest, d.To.Name, d.To.Digest)
	for _, v := range []struct {
		name string
		release.Versions
	}{{"kubernetes", d.Kubernetes}, {"etcd", d.Etcd}, {"go", d.Go}} {
		fmt.Fprintf(&text, "%-11s %s\n", v.name, versionStep(v.Versions))
	}
	for _, warning := range d.Warnings {
		fmt.Fprintf(&text, "warning     %s\n", warning)
	}
	if len(d.Components) > 0 {
		text.WriteString("\n" + table("COMPONENT\tCHANGE\tFROM\tTO\tSTEP", func(row func(...string)) {
			for _, c := range d.Components {
				row(c.Name, string(c.Change), dash(c.From), dash(c.To), string(c.Step))
			}
		}))
	}
	if len(d.Assets) > 0 {
		text.WriteString("\n" + table("ASSET\tCOMPONENT\tCHANGE\tFROM\tTO", func(row func(...string)) {
			for _, c := range d.Assets {
				row(c.Name, c.Component, string(c.Change), short(c.From), short(c.To))
			}
		}))
	}
	text.WriteString("\n" + table("IMPACTED\tWHY", func(row func(...string)) {
		for _, i := range d.Impacted {
			row(i.Component, i.Why)
		}
		if len(d.Impacted) == 0 {
			row("none", "nothing differs")
		}
	}))
	return text.String()
}

func versionStep(v release.Versions) string {
	switch {
	case v.From == "" && v.To == "":
		return "not known"
	case v.Step == release.NoStep:
		return v.From
	}
	return fmt.Sprintf("%s to %s (%s)", dash(v.From), dash(v.To), v.Step)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// short is a digest as people compare it.
func short(digest string) string {
	if len(digest) > 19 {
		return digest[:19] + "…"
	}
	return dash(digest)
}

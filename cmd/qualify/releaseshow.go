package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/release"
)

// releaseRefs is how the verbs that take a release are told which.
const releaseRefs = `REF is the path of a manifest, the directory that holds one, its https URL,
eks-d:1-34-21 for a published release of EKS Distro, or eks-d:1-34 for the
latest of a channel. A candidate that lies in another place than what is published
is found there with --base-url.`

// baseURLFlag adds the flag that says where releases are published.
func baseURLFlag(cmd *cobra.Command, base *string) {
	cmd.Flags().StringVar(base, "base-url", "", "where releases are published (default: https://distro.eks.amazonaws.com)")
}

// imageRegistryFlag adds the flag that has images pulled from elsewhere.
func imageRegistryFlag(cmd *cobra.Command, place *string) {
	cmd.Flags().StringVar(place, "image-registry", "", "pull images from this mirror, HOST/PREFIX, instead of the registries that the manifest names")
}

// allowUnboundFlag adds the flag that accepts releases without digests.
func allowUnboundFlag(cmd *cobra.Command, allow *bool) {
	cmd.Flags().BoolVar(allow, "allow-unbound", false, "accept a release without the digests that would tie a verdict to it; the verdict says so")
}

// intakeOptions are the flags of the verbs that take a release.
type intakeOptions struct {
	w       wiring
	baseURL string
	strict  bool
	format  string

	// Of verbs that fetch.
	imageRegistry string
	parallel      int
	allowUnbound  bool
	noLive        bool
}

func (o *intakeOptions) flags(cmd *cobra.Command) {
	baseURLFlag(cmd, &o.baseURL)
	cmd.Flags().BoolVar(&o.strict, "strict", false, "refuse fields that the manifest's format does not have")
	outputFlag(cmd, &o.format)
}

// shop is the workshop as the flags and variables want it.
func (o *intakeOptions) shop(cmd *cobra.Command) (workshop, error) {
	used, err := o.w.fromEnvironment(cmd, "base-url", "image-registry", "no-live")
	if err != nil {
		return workshop{}, err
	}
	w, err := o.w.workshop()
	if err != nil {
		return workshop{}, err
	}
	if err := w.publishedAt(o.baseURL); err != nil {
		return workshop{}, blameEnvironment(err, used)
	}
	return w, nil
}

// manifest reads a release that nothing has to be built for.
func (o *intakeOptions) manifest(ctx context.Context, w workshop, text string) (*release.Release, error) {
	ref, err := release.ParseRef(text)
	if err != nil {
		return nil, &usageError{err}
	}
	if ref.Kind == release.SourceRef {
		return nil, usagef("%s is not built yet: give what qualify release build --k8s %s prints", text, ref.Value)
	}
	return w.load(ctx, ref, release.Options{Strict: o.strict})
}

func newReleaseShowCommand(w wiring) *cobra.Command {
	o := intakeOptions{w: w}
	cmd := &cobra.Command{
		Use:   "show REF",
		Short: "Show a release's components, assets and digests",
		Long:  "Reads a release's manifest and shows what is in it. No asset is fetched.\n\n" + releaseRefs,
		Example: `  qualify release show kubernetes-1-34-eks-21.yaml
  qualify release show eks-d:1-34 -o json`,
		Args: oneArg("a release"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := o.shop(cmd)
			if err != nil {
				return err
			}
			rel, err := o.manifest(cmd.Context(), w, args[0])
			if err != nil {
				return err
			}
			data := struct {
				*release.Release
				Kubernetes string   `json:"kubernetes"`
				Digest     string   `json:"digest"`
				Unbound    []string `json:"unbound"` // assets that have no digest
			}{rel, rel.Kubernetes(), rel.Digest(), assetNames(rel.Unbound())}
			return printAs(cmd.OutOrStdout(), o.format, data, func() string { return releaseTable(rel) })
		},
	}
	o.flags(cmd)
	return cmd
}

func assetNames(assets []release.Asset) []string {
	names := []string{}
	for _, a := range assets {
		names = append(names, a.Name)
	}
	return names
}

func releaseTable(rel *release.Release) string {
	var text strings.Builder
	fmt.Fprintf(&text, "name        %s\nkubernetes  %s\nchannel     %s\nnumber      %d\ndate        %s\ndigest      %s\n",
		rel.Name, rel.Kubernetes(), rel.Channel, rel.Number, rel.Date, rel.Digest())
	if n := len(rel.Unbound()); n > 0 {
		fmt.Fprintf(&text, "unbound     %d of %d assets have no digest: nothing can tell whether their bytes are the release's\n", n, len(rel.Assets()))
	}
	text.WriteString("\n")
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "COMPONENT\tTAG\tASSET\tDIGEST")
	for _, c := range rel.Components {
		for _, a := range c.Assets {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Name, c.GitTag, a.Name, digestOf(a))
		}
	}
	_ = w.Flush()
	return text.String()
}

// digestOf is what an asset is known by, "none" where nothing is.
func digestOf(a release.Asset) string { return cmp.Or(a.BoundBy(), "none") }

// imageRow is one image of a release.
type imageRow struct {
	Name      string   `json:"name"`
	Component string   `json:"component"`
	Image     string   `json:"image"`
	Digest    string   `json:"digest"` // "" where the manifest has none
	Arch      []string `json:"arch"`
}

func newReleaseImagesCommand(w wiring) *cobra.Command {
	o := intakeOptions{w: w}
	cmd := &cobra.Command{
		Use:     "images REF",
		Short:   "List a release's images with their digests",
		Long:    "Lists the images of a release's manifest. None is fetched.\n\n" + releaseRefs,
		Example: "  qualify release images eks-d:1-34-21",
		Args:    oneArg("a release"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := o.shop(cmd)
			if err != nil {
				return err
			}
			rel, err := o.manifest(cmd.Context(), w, args[0])
			if err != nil {
				return err
			}
			rows := []imageRow{}
			for _, a := range rel.Images() {
				rows = append(rows, imageRow{a.Name, a.Component, a.URI, a.Digest, a.Arch})
			}
			return printAs(cmd.OutOrStdout(), o.format, rows, func() string { return imagesTable(rel) })
		},
	}
	o.flags(cmd)
	return cmd
}

func imagesTable(rel *release.Release) string {
	return table("NAME\tIMAGE\tARCH\tDIGEST", func(row func(...string)) {
		for _, a := range rel.Images() {
			row(a.Name, a.URI, strings.Join(a.Arch, ","), digestOf(a))
		}
	})
}

// table lays rows out in columns.
func table(header string, rows func(row func(cells ...string))) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, header)
	rows(func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")) })
	_ = w.Flush()
	return text.String()
}

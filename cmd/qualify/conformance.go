package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/images"
	"github.com/qualify-dev/qualify/internal/release/intake"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/scratch"
	"github.com/qualify-dev/qualify/internal/testimages"
)

func newConformanceCommand(w wiring) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "conformance",
		Short: "What conformance tests need",
	}
	cmd.AddCommand(newConformanceImagesCommand(w))
	return cmd
}

// imagesOptions are the flags of conformance images.
type imagesOptions struct {
	w                wiring
	k8s, release     string
	baseURL, format  string
	build, published bool
	to, mirror, list string
	noLive           bool
}

func newConformanceImagesCommand(w wiring) *cobra.Command {
	o := imagesOptions{w: w}
	cmd := &cobra.Command{
		Use:   "images (--k8s V | --release REF) [--build [--to DIR]] [--mirror HOST/PREFIX]",
		Short: "List, make and mirror the images that tests run",
		Long: `Lists the images that the test binary of a release names, and how each is made
here, or why it is not.

With --build those that conformance tests run are made: from Go modules and Debian
packages, without an image registry. They are substitutes, and have a label that
says so. --to also writes them into a new directory, as an OCI layout, together
with those that are part of the release.

With --mirror they are pushed to a registry, under the paths that they have, or,
with --published, the published ones are copied there; --repo-list is the file that
is written for the variable KUBE_TEST_REPO_LIST of test binaries.

` + releaseRefs,
		Example: `  qualify conformance images --k8s 1.34.4
  qualify conformance images --k8s 1.34.4 --build --to /media/usb/test-images
  qualify conformance images --k8s 1.34.4 --mirror registry.example:5000/tests --repo-list repos.yaml
  qualify conformance images --release candidate/ --mirror registry.example:5000/tests --published`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.k8s, "k8s", "", "exact Kubernetes version, e.g. v1.34.4: its release is built from source")
	f.StringVar(&o.release, "release", "", "a release; see REF above")
	f.BoolVar(&o.build, "build", false, "make the images; they stay in the cache, for runs too")
	f.StringVar(&o.to, "to", "", "with --build, new directory for them as an OCI layout")
	f.StringVar(&o.mirror, "mirror", "", "push the images to a registry, HOST/PREFIX")
	f.BoolVar(&o.published, "published", false, "with --mirror, copy the published images, and make none")
	f.StringVar(&o.list, "repo-list", "", "with --mirror, file to write for KUBE_TEST_REPO_LIST (default: kube-test-repo-list.yaml)")
	baseURLFlag(cmd, &o.baseURL)
	outputFlag(cmd, &o.format)
	noLiveFlag(cmd, &o.noLive)
	return cmd
}

// check finds out what is wrong with the flags before anything is made.
func (o *imagesOptions) check() error {
	switch {
	case (o.k8s == "") == (o.release == ""):
		return usagef("of which release? give either --k8s, for example --k8s v1.34.4, or --release")
	case o.to != "" && !o.build:
		return usagef("--to says where images go that are made: add --build")
	case o.published && (o.mirror == "" || o.build):
		return usagef("--published has the published images mirrored: it goes with --mirror and without --build")
	case o.list != "" && o.mirror == "":
		return usagef("--repo-list is about mirrored images: add --mirror")
	}
	if o.mirror != "" {
		if err := images.CheckPlace(o.mirror); err != nil {
			return usagef("--mirror: %w", err)
		}
	}
	if o.to != "" {
		if err := intake.CheckTarget(o.to); err != nil {
			return &usageError{err}
		}
	}
	if o.k8s != "" {
		o.release = "source:v" + strings.TrimPrefix(o.k8s, "v")
	}
	return nil
}

// imagesAnswer is what the verb prints.
type imagesAnswer struct {
	Kubernetes string              `json:"kubernetes"`
	Images     []testimages.Listed `json:"images"`
	// Of images that were made or mirrored: the set's digest, where they are.
	Digest   string          `json:"digest,omitempty"`
	Layout   string          `json:"layout,omitempty"`
	Mirrors  []images.Mirror `json:"mirrors,omitempty"`
	RepoList string          `json:"repoList,omitempty"`
}

func (o *imagesOptions) run(cmd *cobra.Command) error {
	used, err := o.w.fromEnvironment(cmd, "base-url", "no-live")
	if err != nil {
		return err
	}
	w, err := o.w.workshop()
	if err != nil {
		return err
	}
	if err := w.publishedAt(o.baseURL); err != nil {
		return blameEnvironment(err, used)
	}
	ui := o.w.newConsole(cmd.ErrOrStderr(), o.noLive)
	defer ui.close()
	w.store.Log = o.w.sink.Logger(ui)
	answer, err := o.answer(cmd.Context(), w, ui)
	ui.close()
	if err != nil {
		return err
	}
	return printAs(cmd.OutOrStdout(), o.format, answer, func() string { return imagesText(answer) })
}

func (o *imagesOptions) answer(ctx context.Context, w workshop, ui console) (imagesAnswer, error) {
	rel, err := w.resolve(ctx, o.release, ui.step)
	if err != nil {
		return imagesAnswer{}, err
	}
	refs, err := w.testImages(ctx, rel)
	if err != nil {
		return imagesAnswer{}, err
	}
	var held []string
	for _, a := range rel.Images() {
		held = append(held, a.URI)
	}
	answer := imagesAnswer{Kubernetes: rel.Kubernetes(), Images: testimages.List(refs, held)}
	if o.published {
		err := o.push(ctx, w, &answer, published(refs))
		return answer, err
	}
	if !o.build && o.mirror == "" {
		return answer, nil
	}
	part := result.ComponentRef{Name: result.TestImages, Version: release.BaseVersion(rel.Kubernetes())}
	made, err := w.component(ctx, part, rel, ui.step)
	if err != nil {
		return answer, err
	}
	answer.Digest = made.Digest()
	// What the release has of them goes with the others: it is of no use to be
	// without agnhost.
	set := []*release.Release{made, listedOf(rel, refs)}
	if o.to != "" {
		if answer.Layout, err = filepath.Abs(o.to); err != nil {
			return answer, err
		}
		if _, err := w.layout(ctx, answer.Layout, set); err != nil {
			return answer, err
		}
	}
	if o.mirror == "" {
		return answer, nil
	}
	err = o.push(ctx, w, &answer, set)
	return answer, err
}

// listedOf is a release without all images but those that are listed.
func listedOf(rel *release.Release, refs []string) *release.Release {
	some := *rel
	some.Components = slices.Clone(rel.Components)
	for i := range some.Components {
		some.Components[i].Assets = slices.DeleteFunc(slices.Clone(some.Components[i].Assets), func(a release.Asset) bool {
			return a.Type == release.Image && !slices.Contains(refs, a.URI)
		})
	}
	return &some
}

// published are images as a release that has no digest of them: whatever the
// registry has under their tags is meant.
func published(refs []string) []*release.Release {
	part := release.Component{Name: result.TestImages}
	for _, ref := range testimages.Mirrorable(refs) {
		part.Assets = append(part.Assets, release.Asset{Component: part.Name, Name: ref, Type: release.Image, OS: "linux", URI: ref})
	}
	return []*release.Release{{Name: part.Name, Components: []release.Component{part}}}
}

// layout writes the images of releases as one OCI layout.
func (w workshop) layout(ctx context.Context, dir string, set []*release.Release) ([]*images.Image, error) {
	w.store.AllowUnbound = true // a registry's tags, see published; made ones have digests
	f := &images.Fetcher{Store: w.store, Client: w.published}
	var all []*images.Image
	for _, rel := range set {
		some, err := f.FetchAll(ctx, rel, rel.Images(), 4)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, images.WriteLayout(dir, all)
}

func (o *imagesOptions) push(ctx context.Context, w workshop, answer *imagesAnswer, set []*release.Release) error {
	dir, remove, err := scratch.Dir("test-images")
	if err != nil {
		return fmt.Errorf("mirroring test images: %w", err)
	}
	defer func() { _ = remove() }()
	all, err := w.layout(ctx, dir, set)
	if err != nil {
		return err
	}
	to := images.Mirrors{All: o.mirror}
	if err := images.Push(ctx, dir, all, to, w.published.Transport()); err != nil {
		return err
	}
	var refs []string
	for _, image := range all {
		refs = append(refs, image.Asset.URI)
	}
	answer.Mirrors = to.For(refs)
	text, err := testimages.RepoList(refs, to.Rewrite)
	if err != nil {
		return err
	}
	if answer.RepoList, err = filepath.Abs(cmp.Or(o.list, "kube-test-repo-list.yaml")); err != nil {
		return err
	}
	return os.WriteFile(answer.RepoList, text, 0o644)
}

func imagesText(a imagesAnswer) string {
	text := table("IMAGE\tMADE\tHOW, OR WHY NOT", func(row func(...string)) {
		for _, i := range a.Images {
			made := "no"
			if i.Made {
				made = "yes"
			}
			row(i.Ref, made, i.How)
		}
	})
	if a.Digest != "" {
		text += "\nmade     " + a.Digest + "\n"
	}
	if a.Layout != "" {
		text += "layout   " + a.Layout + "\n"
	}
	for _, m := range a.Mirrors {
		text += fmt.Sprintf("mirror   %s is at %s\n", m.Source, m.Mirror)
	}
	if a.RepoList != "" {
		text += "use it   KUBE_TEST_REPO_LIST=" + a.RepoList + "\n"
	}
	return text
}

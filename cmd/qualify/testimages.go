package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/run"
)

// Where the images come from that tests run and that are no part of a release.
const (
	autoImages   = "auto"
	madeImages   = "made"
	pulledImages = "pulled"
)

// testImagesFlag adds the flag that says which images tests run.
func testImagesFlag(cmd *cobra.Command, from *string) {
	cmd.Flags().StringVar(from, "test-images", autoImages, "images of --conformance full and certified: made (here, and given to the nodes; the verdict says so), "+
		"pulled (by the nodes), or auto: pulled where their registry answers this machine")
	completeFlag(cmd, "test-images", func(string) []string { return []string{autoImages, madeImages, pulledImages} })
}

// checkImages refuses a word that --test-images does not know.
func (c *choice) checkImages() error {
	switch c.testImages {
	case autoImages, madeImages, pulledImages:
		return nil
	}
	return fmt.Errorf("--test-images is %q, and is %s, %s or %s", c.testImages, autoImages, madeImages, pulledImages)
}

// decideImages decides whether nodes are given images that are made here.
func (o *runOptions) decideImages(ctx context.Context, c run.Compilation) bool {
	switch o.testImages {
	case madeImages:
		return true
	case autoImages:
		return c.CouldPreload() && !o.w.published(ctx)
	}
	return false
}

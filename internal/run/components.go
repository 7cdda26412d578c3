package run

import (
	"slices"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/matrix"
)

// ComponentsOf names what the nodes of a cell are given beside the release, yet
// without digests: a container runtime of another version than the operating
// system's own, and made images for tests that want more than the release has.
func (c Compilation) ComponentsOf(cell matrix.Cell) []result.ComponentRef {
	var parts []result.ComponentRef
	if version := cell.Value(matrix.Containerd); version != "" && version != matrix.OfOS {
		parts = append(parts, result.ComponentRef{Name: matrix.Containerd, Version: version})
	}
	if c.MadeImages && c.preloads(cell) && c.wantsImages() {
		parts = append(parts, result.ComponentRef{Name: result.TestImages, Version: cell.Value(matrix.K8s)})
	}
	return parts
}

// CouldPreload tells whether there is a cell that made images would be of use to.
func (c Compilation) CouldPreload() bool {
	return slices.ContainsFunc(c.Cells, c.preloads) && c.wantsImages()
}

func (c Compilation) preloads(cell matrix.Cell) bool {
	return c.Entries[cell.Value(matrix.Provisioner)].Preloads
}

// wantsImages tells whether a suite runs images that are no part of a release.
func (c Compilation) wantsImages() bool {
	for _, name := range c.Suites {
		if c.Suite == nil {
			return false
		}
		suite, err := c.Suite(name)
		if err != nil {
			continue // it is said of the cells
		}
		if mode, err := suite.In(c.Modes[name].Mode); err == nil && mode.Images {
			return true
		}
	}
	return false
}

// madeImages tells whether the plan's cells are given made images.
func (p Plan) madeImages() bool {
	for _, cell := range p.Cells {
		for _, part := range cell.Components {
			if part.Name == result.TestImages {
				return true
			}
		}
	}
	return false
}

package run

import (
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/matrix"
)

// ComponentsOf names what the nodes of a cell are given beside the release, yet
// without digests: a container runtime of another version than the operating
// system's own.
func ComponentsOf(cell matrix.Cell) []result.ComponentRef {
	if version := cell.Value(matrix.Containerd); version != "" && version != matrix.OfOS {
		return []result.ComponentRef{{Name: matrix.Containerd, Version: version}}
	}
	return nil
}

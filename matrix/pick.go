package matrix

// pickFirst thins cells on the axes that pick their first value and that the
// request selects nothing on: of the cells that differ on such an axis alone,
// the first that can be stays, in the order of the file. Where none can, the
// first stays.
func (m *Matrix) pickFirst(r Request, e *Expansion) {
	for _, axis := range m.Axes {
		if axis.First && len(r.Want[axis.Name]) == 0 {
			kept := pickOn(axis.Name, e.Cells, e.Forced)
			e.Raw -= len(e.Cells) - len(kept)
			e.Cells = kept
		}
	}
}

// pickOn thins cells on one axis. Each stays at the place of the first of those
// that it stands for. forced are those that cannot be, by their ids.
func pickOn(axis string, cells []Cell, forced map[string]Reason) []Cell {
	var kept []Cell
	place := map[string]int{}
	for _, cell := range cells {
		rest := restOf(cell, axis)
		at, there := place[rest]
		if !there {
			place[rest] = len(kept)
			kept = append(kept, cell)
			continue
		}
		_, worse := forced[kept[at].ID]
		if _, bad := forced[cell.ID]; worse && !bad {
			kept[at] = cell
		}
	}
	return kept
}

// restOf stands for the cell's values on the other axes.
func restOf(cell Cell, axis string) string {
	rest := map[string]string{}
	for name, value := range cell.Values {
		if name != axis {
			rest[name] = value
		}
	}
	return digest(rest)
}

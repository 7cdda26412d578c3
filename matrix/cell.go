package matrix

// Cell is one combination of axis values: one cluster to qualify on.
type Cell struct {
	// ID is derived from the values: stable across runs, safe and unique as a
	// file name and as a DNS label, also when lower-cased.
	ID     string
	Values map[string]string // by axis, e.g. {"os":"debian-12","k8s":"v1.34.4","provisioner":"kind"}
}

// Value returns the cell's value on an axis, or "".
func (c Cell) Value(axis string) string { return c.Values[axis] }

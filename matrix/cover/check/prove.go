package check

import (
	"github.com/qualify-dev/qualify/matrix/cover"
)

// answer to whether a valid row has a combination.
type answer int

const (
	unknown answer = iota
	no
	yes
)

// prepare finds which axes hang together: those that a rule is about, and so
// on. Whether a combination is possible is decided in each such group by
// itself, so the axes of others need not be searched.
func (c *checker) prepare() {
	n := len(c.model.Axes)
	c.touching, c.group, c.groups = make([][]int, n), make([]int, n), map[int][]int{}
	c.proved = map[string]answer{}
	for a := range n {
		c.group[a] = a
	}
	for i, r := range c.rules {
		for _, a := range r.axes {
			c.touching[a] = append(c.touching[a], i)
			c.join(c.group[r.axes[0]], c.group[a])
		}
	}
	for a, g := range c.group {
		c.groups[g] = append(c.groups[g], a)
	}
}

func (c *checker) join(to, from int) {
	for a := range c.group {
		if c.group[a] == from {
			c.group[a] = to
		}
	}
}

// possible splits the combination by groups. It is possible if each part is,
// and if every other group has any solution at all.
func (c *checker) possible(t cover.Tuple) answer {
	parts := map[int]cover.Tuple{}
	for g := range c.groups {
		parts[g] = nil
	}
	for _, s := range t {
		parts[c.group[s.Axis]] = append(parts[c.group[s.Axis]], s)
	}
	all := yes
	for g, part := range parts {
		switch c.solve(g, part) {
		case no:
			return no
		case unknown:
			all = unknown
		}
	}
	return all
}

func (c *checker) solve(group int, part cover.Tuple) answer {
	id := key(append(cover.Tuple{{Axis: group, Value: -1}}, part...))
	if known, has := c.proved[id]; has {
		return known
	}
	s := search{checker: c, row: make([]int, len(c.model.Axes)), open: map[int][]int{}, nodes: c.nodes}
	for a := range s.row {
		s.row[a] = -1
	}
	for _, a := range c.groups[group] {
		for v := range c.model.Axes[a].Values {
			s.open[a] = append(s.open[a], v)
		}
	}
	for _, setting := range part {
		s.open[setting.Axis] = []int{setting.Value}
	}
	found := s.run()
	c.proved[id] = found
	return found
}

// search is plain backtracking that looks one step ahead: after each decision,
// rules with one undecided axis left take away what they forbid there.
type search struct {
	*checker
	row   []int         // by axis; -1 is undecided
	open  map[int][]int // by undecided axis: the values it may still have
	nodes int
}

func (s *search) run() answer {
	// Rules of one axis, or of none that is undecided, have had no decision to
	// be looked at after.
	for a := range s.open {
		if !s.narrow(a) {
			return no
		}
	}
	return s.next()
}

func (s *search) next() answer {
	axis := -1
	for a, values := range s.open { // the one with the fewest values
		if axis < 0 || len(values) < len(s.open[axis]) || len(values) == len(s.open[axis]) && a < axis {
			axis = a
		}
	}
	if axis < 0 {
		return yes
	}
	values := s.open[axis]
	delete(s.open, axis)
	defer func() { s.open[axis], s.row[axis] = values, -1 }()
	for _, v := range values {
		if s.nodes--; s.nodes < 0 {
			return unknown
		}
		before := make(map[int][]int, len(s.open))
		for a, o := range s.open {
			before[a] = o
		}
		s.row[axis] = v
		if s.ahead(axis) {
			if found := s.next(); found != no {
				return found
			}
		}
		s.open = before
	}
	return no
}

// ahead narrows the axes that share a rule with this one.
func (s *search) ahead(axis int) bool {
	for _, i := range s.touching[axis] {
		undecided := -1
		count := 0
		for _, a := range s.rules[i].axes {
			if s.row[a] < 0 && a != undecided {
				undecided = a
				count++
			}
		}
		if count == 1 && !s.narrow(undecided) {
			return false
		}
	}
	return true
}

// narrow removes the values of an undecided axis that a rule, all of whose
// other axes are decided, forbids. It returns whether any is left.
func (s *search) narrow(axis int) bool {
	var left []int
values:
	for _, v := range s.open[axis] {
		s.row[axis] = v
		for _, i := range s.touching[axis] {
			if s.decided(i) && s.rules[i].forbids(s.row) {
				continue values
			}
		}
		left = append(left, v)
	}
	s.row[axis] = -1
	s.open[axis] = left
	return len(left) > 0
}

func (s *search) decided(rule int) bool {
	for _, a := range s.rules[rule].axes {
		if s.row[a] < 0 {
			return false
		}
	}
	return true
}

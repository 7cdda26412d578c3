package cover

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestPlacesAreUnique: each combination has a place of its own, and is found
// again from it.
func TestPlacesAreUnique(t *testing.T) {
	const points = 9
	for strength := 1; strength <= MaxStrength; strength++ {
		tally, err := newTally(points, strength)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[int32]bool{}
		var from func(first int32, chosen []int32)
		from = func(first int32, chosen []int32) {
			if len(chosen) < strength {
				for p := first; p < points; p++ {
					from(p+1, append(slices.Clone(chosen), p))
				}
				return
			}
			place := tally.place(chosen)
			if seen[place] || int(place) >= len(tally.n) || !slices.Equal(tally.sorted(place), chosen) {
				t.Errorf("strength %d: %v has place %d of %d, where %v is", strength, chosen, place, len(tally.n), tally.sorted(place))
			}
			seen[place] = true
		}
		from(0, nil)
	}
}

// counted is a tally beside a plain map that says what it should.
type counted struct {
	*tally
	rows []settled
	axes [][]int32 // the points of each axis
}

func newCounted(t *rapid.T) *counted {
	c := &counted{}
	points := int32(0)
	for range rapid.IntRange(3, 6).Draw(t, "axes") {
		var axis []int32
		for range rapid.IntRange(1, 4).Draw(t, "values") {
			axis = append(axis, points)
			points++
		}
		c.axes = append(c.axes, axis)
	}
	var err error
	if c.tally, err = newTally(int(points), rapid.IntRange(1, 3).Draw(t, "strength")); err != nil {
		t.Fatal(err)
	}
	for range rapid.IntRange(1, 6).Draw(t, "rows") {
		row := make(settled, len(c.axes))
		for a, axis := range c.axes {
			row[a] = rapid.SampledFrom(axis).Draw(t, "point")
		}
		c.rows = append(c.rows, row)
	}
	return c
}

// combinations of a row, as text.
func (c *counted) combinations(row settled) []string {
	var all []string
	var from func(a int, chosen []int32)
	from = func(a int, chosen []int32) {
		if len(chosen) == c.strength {
			all = append(all, fmt.Sprint(chosen))
			return
		}
		for ; a < len(row); a++ {
			from(a+1, append(slices.Clone(chosen), row[a]))
		}
	}
	from(0, nil)
	return all
}

// missed is what no row has, of all that is wanted.
func (c *counted) missed(wanted map[string]bool) []string {
	has := map[string]bool{}
	for _, row := range c.rows {
		for _, text := range c.combinations(row) {
			has[text] = true
		}
	}
	var missed []string
	for text := range wanted {
		if !has[text] {
			missed = append(missed, text)
		}
	}
	slices.Sort(missed)
	return missed
}

func (c *counted) compare(t *rapid.T, wanted map[string]bool) {
	var missing []string
	for _, place := range c.missing {
		missing = append(missing, fmt.Sprint(c.sorted(place)))
	}
	slices.Sort(missing)
	if want := c.missed(wanted); !slices.Equal(missing, want) {
		t.Fatalf("missing are %v, should be %v", missing, want)
	}
}

// TestPropertyTally compares it with counting anew, after every kind of change.
func TestPropertyTally(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCounted(t)
		wanted := map[string]bool{}
		for _, row := range c.rows[:(len(c.rows)+1)/2] { // the others have what is not wanted
			for _, text := range c.combinations(row) {
				wanted[text] = true
			}
			c.each(row, -1, func(place int32) { c.want(place) })
		}
		rows := c.rows
		c.rows = nil
		c.compare(t, wanted)
		for _, row := range rows {
			c.step(t, row, wanted)
		}
		for range 10 {
			c.shift(t, wanted)
		}
		for len(c.rows) > 0 {
			alone := c.alone(c.rows[0])
			before := len(c.missing)
			c.remove(c.rows[0])
			c.rows = c.rows[1:]
			c.compare(t, wanted)
			if len(c.missing)-before != alone {
				t.Errorf("%d were alone in a row, %d are missing without it", alone, len(c.missing)-before)
			}
		}
	})
}

func (c *counted) step(t *rapid.T, row settled, wanted map[string]bool) {
	fresh, before := c.fresh(row), len(c.missing)
	c.add(row)
	c.rows = append(c.rows, row)
	c.compare(t, wanted)
	if before-len(c.missing) != fresh {
		t.Errorf("a row was to add %d and adds %d", fresh, before-len(c.missing))
	}
}

// shift changes one value, and looks whether that does what gain had said.
func (c *counted) shift(t *rapid.T, wanted map[string]bool) {
	row := rapid.SampledFrom(c.rows).Draw(t, "row")
	axis := rapid.IntRange(0, len(row)-1).Draw(t, "axis")
	point := rapid.SampledFrom(c.axes[axis]).Draw(t, "to")
	if point == row[axis] {
		return // the search never asks for what is there
	}
	gain, before := c.gain(row, axis, point), len(c.missing)
	c.change(row, axis, point)
	c.compare(t, wanted)
	if before-len(c.missing) != gain {
		t.Errorf("a change was to gain %d and gains %d", gain, before-len(c.missing))
	}
}

// TestSortKeepsWhatIsRequiredInFront, and loses no row, even of those that add
// nothing.
func TestSortKeepsWhatIsRequiredInFront(t *testing.T) {
	s, err := newSpace(plain(3, 3))
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGenerator(t.Context(), s, Options{Strength: 2})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 1))
	var rows []settled
	for range 30 {
		row := make(settled, 3)
		for a := range row {
			row[a] = s.axes[a].first + int32(random.IntN(3))
		}
		g.tally.add(row)
		rows = append(rows, row)
	}
	sorted := g.sort(rows, 2)
	if len(sorted) != 30 || !slices.Equal(sorted[0], rows[0]) || !slices.Equal(sorted[1], rows[1]) {
		t.Errorf("%d rows begin with %v, given were %v", len(sorted), sorted[:2], rows[:2])
	}
}

// plain is a model without constraints.
func plain(axes, values int) Model {
	var m Model
	for a := range axes {
		axis := Axis{Name: fmt.Sprint("a", a)}
		for v := range values {
			axis.Values = append(axis.Values, fmt.Sprint("v", v))
		}
		m.Axes = append(m.Axes, axis)
	}
	return m
}

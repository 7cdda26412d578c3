package schedule

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func queue(parallel, serial []float64) Queue {
	var q Queue
	for i, s := range parallel {
		q.Parallel = append(q.Parallel, Spec{fmt.Sprintf("p%d", i), s})
	}
	for i, s := range serial {
		q.Serial = append(q.Serial, Spec{fmt.Sprintf("s%d [Serial]", i), s})
	}
	return q
}

// expected is what each spec of a queue was expected to take.
func (q Queue) expected() func(string) float64 {
	seconds := durationsOf(q)
	return func(name string) float64 { return seconds[name] }
}

func TestOrder(t *testing.T) {
	e := NewEstimates(Durations{"a": 1, "b": 3, "c": 3, "d [Serial]": 2, "e [Serial] [Slow]": 9})
	got := Order([]string{"c", "d [Serial]", "a", "e [Serial] [Slow]", "b"}, e).Names()
	if want := []string{"b", "c", "a", "e [Serial] [Slow]", "d [Serial]"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestBoundAndMakespan(t *testing.T) {
	for name, c := range map[string]struct {
		q               Queue
		workers         int
		bound, makespan float64
	}{
		"nothing":                {Queue{}, 4, 0, 0},
		"one worker":             {queue([]float64{3, 2, 1}, []float64{5}), 1, 11, 11},
		"even":                   {queue([]float64{3, 2, 1}, []float64{5}), 2, 8, 8},
		"longest":                {queue([]float64{9, 1, 1}, nil), 3, 9, 9},
		"a gap":                  {queue([]float64{2, 2, 2}, nil), 2, 3, 4},
		"no workers is one":      {queue([]float64{2, 2}, nil), 0, 4, 4},
		"serial on its own":      {queue(nil, []float64{1, 2}), 8, 3, 3},
		"shortest first is slow": {queue([]float64{1, 1, 2}, nil), 2, 2, 3},
	} {
		if got := c.q.Bound(c.workers); got != c.bound {
			t.Errorf("%s: bound %v, want %v", name, got, c.bound)
		}
		if got := c.q.Makespan(c.workers, c.q.expected()); got != c.makespan {
			t.Errorf("%s: makespan %v, want %v", name, got, c.makespan)
		}
	}
}

// anyQueue draws specs, ordered.
func anyQueue(t *rapid.T) Queue {
	names, seconds := []string{}, Durations{}
	for i := range rapid.IntRange(0, 60).Draw(t, "specs") {
		name := fmt.Sprintf("spec %d", i)
		if rapid.IntRange(0, 9).Draw(t, "kind") == 0 {
			name += " [Serial]"
		}
		names = append(names, name)
		seconds[name] = float64(rapid.IntRange(0, 5000).Draw(t, "tenths")) / 10
	}
	return Order(names, NewEstimates(seconds))
}

// No order comes below the bound, and the longest first comes within a third
// of it and the longest spec (Graham's bound, with the bound for the optimum).
func TestPropertyMakespanIsNearItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := anyQueue(t)
		workers := rapid.IntRange(1, 20).Draw(t, "workers")
		bound, took := q.Bound(workers), q.Makespan(workers, q.expected())
		if took < bound-tolerance {
			t.Errorf("%v is below the bound %v", took, bound)
		}
		rest := total(q.Parallel)/float64(workers) + longest(q.Parallel)*(1-1/float64(workers))
		if took > rest+total(q.Serial)+tolerance {
			t.Errorf("%v is above what any order comes to, %v", took, rest)
		}
	})
}

// The same specs come in the same order, however they are listed.
func TestPropertyOrderDoesNotDependOnTheList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := anyQueue(t)
		e := NewEstimates(durationsOf(q))
		names := q.Names()
		shuffled := rapid.Permutation(names).Draw(t, "shuffled")
		if got := Order(shuffled, e).Names(); !slices.Equal(got, names) {
			t.Errorf("%q becomes %q", shuffled, got)
		}
		indices, err := Indices(names, shuffled)
		if err != nil {
			t.Fatal(err)
		}
		for i, index := range indices {
			if shuffled[index] != names[i] {
				t.Errorf("index %d is %s, want %s", index, shuffled[index], names[i])
			}
		}
	})
}

func durationsOf(q Queue) Durations {
	d := Durations{}
	for _, s := range slices.Concat(q.Parallel, q.Serial) {
		d[s.Name] = s.Seconds
	}
	return d
}

// Each spec is on exactly one cluster, the serial ones at its end, in order.
func TestPropertyShardsArePartsOfTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := anyQueue(t)
		clusters, workers := rapid.IntRange(1, 6).Draw(t, "clusters"), rapid.IntRange(1, 20).Draw(t, "workers")
		parts := q.Shard(clusters, workers)
		if len(parts) != clusters {
			t.Fatalf("%d parts for %d clusters", len(parts), clusters)
		}
		var all []string
		ideal := q.ShardBound(clusters, workers)
		last := 0.0
		for _, p := range parts {
			all = append(all, p.Names()...)
			last = max(last, p.Makespan(workers, q.expected()))
			if !slices.IsSortedFunc(p.Parallel, longestFirst) || !slices.IsSortedFunc(p.Serial, longestFirst) {
				t.Errorf("a part is out of order: %v", p)
			}
			for _, s := range p.Parallel {
				if Serial(s.Name) {
					t.Errorf("%s runs beside others", s.Name)
				}
			}
			for _, s := range p.Serial {
				if !Serial(s.Name) {
					t.Errorf("%s runs alone", s.Name)
				}
			}
		}
		want := q.Names()
		slices.Sort(all)
		slices.Sort(want)
		if !slices.Equal(all, want) {
			t.Errorf("%d specs became %d", len(want), len(all))
		}
		if last < ideal-tolerance {
			t.Errorf("%v is below the ideal %v", last, ideal)
		}
		if one := q.Makespan(workers, q.expected()); clusters == 1 && last != one {
			t.Errorf("one cluster takes %v, undivided %v", last, one)
		}
	})
}

func TestShardBound(t *testing.T) {
	for name, c := range map[string]struct {
		q                 Queue
		clusters, workers int
		want              float64
	}{
		"one cluster":          {queue([]float64{9, 1}, []float64{4}), 1, 2, 13},
		"shared evenly":        {queue([]float64{3, 3, 2}, []float64{4}), 2, 2, 4},
		"the longest":          {queue([]float64{9, 1}, []float64{4}), 2, 2, 9},
		"the longest is alone": {queue([]float64{1, 1}, []float64{9}), 3, 2, 9},
		"nothing":              {Queue{}, 3, 0, 0},
	} {
		if got := c.q.ShardBound(c.clusters, c.workers); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Serial specs do not follow the longest of the others where another cluster
// has time for them.
func TestShardKeepsRoomForTheLongest(t *testing.T) {
	q := queue([]float64{100}, []float64{60, 50})
	last := 0.0
	for _, p := range q.Shard(2, 8) {
		last = max(last, p.Makespan(8, q.expected()))
	}
	if last != 110 {
		t.Errorf("two clusters take %v, want 110", last)
	}
}

func TestShardNumbersThatMakeNoSense(t *testing.T) {
	q := queue([]float64{2, 1}, []float64{1})
	if parts := q.Shard(0, 0); len(parts) != 1 || len(parts[0].Names()) != 3 {
		t.Errorf("%v", parts)
	}
	if parts := q.Shard(9, 2); len(parts) != 9 {
		t.Errorf("%v", parts)
	}
}

func TestIndices(t *testing.T) {
	got, err := Indices([]string{"c", "a"}, []string{"a", "b", "c"})
	if err != nil || !slices.Equal(got, []int{2, 0}) {
		t.Errorf("%v, %v", got, err)
	}
	for name, c := range map[string]struct{ order, listed []string }{
		"not listed":    {[]string{"x"}, []string{"a"}},
		"ordered twice": {[]string{"a", "a"}, []string{"a", "b"}},
		"listed twice":  {[]string{"a"}, []string{"a", "a"}},
	} {
		if got, err := Indices(c.order, c.listed); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestEstimates(t *testing.T) {
	own := Durations{"[sig-a] one [Slow]": 5, "bad": math.NaN(), "worse": -1, "worst": math.Inf(1)}
	others := Durations{"[sig-a] one [Slow]": 7, "[sig-b] two [Conformance]": 11, "bad": 3, "[sig-b] four": 30}
	e := NewEstimates(own, others)
	for name, want := range map[string]float64{
		"[sig-a] one [Slow]":                 5,
		"[sig-b] two [Conformance]":          11,
		"[sig-b] two [Serial] [Conformance]": 11,
		"[sig-c] two":                        11,
		"bad":                                3,
		"[sig-a] new":                        8, // between 5 and 11
	} {
		if got := e.Of(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
	if got := NewEstimates().Of("any"); got <= 0 {
		t.Errorf("nothing is known: %v", got)
	}
}

func TestMedians(t *testing.T) {
	for minor, want := range map[int]int{1: 411, 32: 411, 33: 419, 37: 419} {
		m, err := Medians(minor)
		if err != nil || len(m) != want {
			t.Errorf("v1.%d: %d medians, %v", minor, len(m), err)
		}
		if sum := total(Order(names(m), NewEstimates(m)).Parallel); sum < 5000 || sum > 5300 {
			t.Errorf("v1.%d: the specs that run side by side take %v s in all", minor, sum)
		}
	}
}

func TestParseMediansRefuses(t *testing.T) {
	for _, text := range []string{"", "# only a comment", "1.0\tname", "minors\t32\n1.0\t2.0\tname", "minors\t32\nx\tname", "minors\t32\n-1\tname", "minors\t32\n-\tname"} {
		if got, err := parseMedians(text, 32); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// A plan for the largest list and many workers is made while nobody waits:
// its work does not grow with anything but specs and clusters.
func BenchmarkShard(b *testing.B) {
	m, err := Medians(33)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if q := Order(names(m), NewEstimates(m)); len(q.Shard(4, 64)) != 4 || strings.TrimSpace(q.Names()[0]) == "" {
			b.Fatal("no plan")
		}
	}
}

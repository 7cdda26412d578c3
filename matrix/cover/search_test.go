package cover

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// started is a search over a greedy array, none of whose rows is required.
func started(t *rapid.T, m Model) *search {
	s, err := newSpace(m)
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGenerator(t.Context(), s, Options{Strength: 2, Seed: rapid.Uint64().Draw(t, "seed")})
	if errors.Is(err, ErrEmpty) {
		t.SkipNow()
	}
	if err != nil {
		t.Fatal(err)
	}
	rows, err := g.greedy(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return newSearch(g, rows, 0)
}

// consistent holds what the search believes against counting anew.
func consistent(t *rapid.T, s *search) {
	for i, row := range s.rows {
		if b := s.banned(row); b >= 0 {
			t.Fatalf("row %v is no longer valid: ban %d", row, b)
		}
		held := slices.Clone(s.held[i])
		s.recount(i)
		if !slices.Equal(held, s.held[i]) {
			t.Fatalf("row %v: %v terms are believed to hold, but %v do", row, held, s.held[i])
		}
	}
	again, err := newTally(s.points, s.strength)
	if err != nil {
		t.Fatal(err)
	}
	copy(again.n, s.tally.n)
	for _, row := range s.rows {
		again.each(row, -1, func(place int32) {
			if again.n[place] == never {
				t.Fatalf("%v is said to be impossible, and is in row %v", again.sorted(place), row)
			}
		})
	}
	for _, place := range s.tally.missing {
		points := s.tally.sorted(place)
		if slices.ContainsFunc(s.rows, func(row settled) bool {
			return row[s.axisOf[points[0]]] == points[0] && row[s.axisOf[points[1]]] == points[1]
		}) {
			t.Fatalf("%v is missing, and is in a row", points)
		}
	}
}

// TestPropertySearchMovesAmongValidRows, whichever moves it makes.
func TestPropertySearchMovesAmongValidRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := bound(t)
		s := started(t, m)
		for row := range s.rows {
			for a, sp := range s.axes {
				for p := sp.first; p < sp.first+sp.count; p++ {
					changed := slices.Clone(s.rows[row])
					changed[a] = p
					valid := s.banned(changed) < 0
					if s.mayHave(row, a, p) != valid || s.allowed(s.rows[row], a, p) != valid {
						t.Fatalf("%v: valid is %v, mayHave says %v, allowed %v", changed, valid, s.mayHave(row, a, p), s.allowed(s.rows[row], a, p))
					}
				}
			}
		}
		if len(s.rows) < 2 {
			return
		}
		s.drop()
		consistent(t, s)
		for range 20 {
			if len(s.tally.missing) == 0 {
				break
			}
			s.step++
			want := s.tally.sorted(rapid.SampledFrom(s.tally.missing).Draw(t, "want"))
			row, axis, point := s.bestMove(want)
			if row >= 0 && rapid.Bool().Draw(t, "best") {
				s.change(row, axis, point)
			} else if err := s.force(t.Context(), want); err != nil {
				t.Fatal(err)
			} else if place := s.tally.place(want); s.tally.n[place] == 0 {
				t.Fatalf("%v was forced into a row, and is still missing", want)
			}
			consistent(t, s)
		}
	})
}

// TestWhatWasChangedStays for a few steps, so that it is not changed back.
func TestWhatWasChangedStays(t *testing.T) {
	s, err := newSpace(plain(2, 2))
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGenerator(t.Context(), s, Options{Strength: 2})
	if err != nil {
		t.Fatal(err)
	}
	f := newSearch(g, []settled{{0, 2}}, 0)
	g.tally.add(f.rows[0])
	f.step = 10
	f.change(0, 1, 3)
	for f.step = 11; f.step < 16; f.step++ {
		row, axis, point := f.bestMove([]int32{0, 2})
		if free := f.step >= 10+tenure; (row >= 0) != free || free && (axis != 1 || point != 2) {
			t.Errorf("%d steps later it would change row %d, axis %d", f.step-10, row, axis)
		}
	}
}

// TestForceChangesNoMoreThanItMust: without constraints that is what is wanted.
func TestForceChangesNoMoreThanItMust(t *testing.T) {
	s, err := newSpace(plain(6, 4))
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGenerator(t.Context(), s, Options{Strength: 2})
	if err != nil {
		t.Fatal(err)
	}
	was := settled{0, 4, 8, 12, 16, 20}
	f := newSearch(g, []settled{slices.Clone(was)}, 0)
	g.tally.add(f.rows[0])
	if err := f.force(t.Context(), []int32{5, 21}); err != nil {
		t.Fatal(err)
	}
	if want := (settled{0, 5, 8, 12, 16, 21}); !slices.Equal(f.rows[0], want) {
		t.Errorf("%v became %v, not %v", was, f.rows[0], want)
	}
}

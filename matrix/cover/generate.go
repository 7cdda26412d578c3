package cover

import (
	"context"
	"errors"
	"fmt"
)

// MaxStrength is the highest strength that is served.
const MaxStrength = 3

// Options is what Generate needs beside the model.
type Options struct {
	// Strength is how many axes are combined, 1 to MaxStrength. A model with
	// fewer axes than that gets each of its valid rows.
	Strength int
	// Seed decides where the search goes. The same seed gives the same rows.
	Seed uint64
	// Required are rows that must be in the result; they come first, in this order.
	Required []Row
	// Until, if not nil, lets the search for fewer rows go on until it is
	// closed. Otherwise it ends after a fixed number of steps, and the result is
	// the same on every machine.
	Until <-chan struct{}
}

// Result is a covering array: it holds every valid combination.
type Result struct {
	// Rows are all valid. After the required ones the row that adds the most
	// comes first, so a run that is cut short has covered as much as it can.
	Rows []Row
	// Strength is what is guaranteed: each combination of values on so many
	// axes is in a row, unless it is in Impossible.
	Strength int
	// Covered is the number of combinations that some valid row has; each of
	// them is in Rows.
	Covered int
	// Impossible are the combinations that no valid row has. Those which follow
	// from a shorter one are there too.
	Impossible []Tuple
	// Bound is a number of rows below which no covering array can be.
	Bound int
}

// ErrEmpty is the error where the constraints leave no row.
var ErrEmpty = errors.New("the constraints leave no valid row")

// Generate makes a covering array of the model. The error is the context's if
// that ends first, and ErrEmpty if there is no valid row at all.
func Generate(ctx context.Context, m Model, o Options) (*Result, error) {
	s, err := newSpace(m)
	if err != nil {
		return nil, fmt.Errorf("reducing: %w", err)
	}
	if o.Strength < 1 || o.Strength > MaxStrength {
		return nil, fmt.Errorf("reducing: the strength is %d; it is from 1 to %d", o.Strength, MaxStrength)
	}
	required, err := s.required(o.Required)
	if err != nil {
		return nil, fmt.Errorf("reducing: %w", err)
	}
	g, err := newGenerator(ctx, s, o)
	if err != nil {
		return nil, fmt.Errorf("reducing: %w", err)
	}
	rows, err := g.rows(ctx, required)
	if err != nil {
		return nil, fmt.Errorf("reducing: %w", err)
	}
	return g.result(rows, len(required)), nil
}

// required turns the caller's rows into ours, and refuses those that are not valid.
func (s *space) required(rows []Row) ([]settled, error) {
	var all []settled
	seen := map[string]bool{}
	for i, row := range rows {
		st, err := s.settled(row)
		if err != nil {
			return nil, fmt.Errorf("required row %d: %w", i+1, err)
		}
		if key := fmt.Sprint(row); !seen[key] {
			seen[key] = true
			all = append(all, st)
		}
	}
	return all, nil
}

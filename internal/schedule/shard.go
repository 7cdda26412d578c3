package schedule

import (
	"cmp"
	"slices"
)

// Shard divides a queue among clusters that have so many workers each, so that
// the last of them is done as early as possible. The serial specs of a cluster
// stay at its end. There may be clusters with nothing to do.
//
// It looks for the smallest time within which everything fits. For a given
// time, as many serial specs go on one cluster as fit before the next is begun.
// The first cluster gets the longest of the other specs, and all the short ones: they
// fill its gaps, and there is time left when one takes longer than it used to.
//
// Two others were tried over the durations of 62 products (bench/schedule).
// Each spec, the longest first, to the cluster that would be done first: it
// spreads the long specs, each cluster waits for one, and three clusters take
// 1.14 of the ideal time. The same mix of long and short on all clusters: one
// spec that takes a minute more than expected delays a cluster with little of such
// work by that minute.
func (q Queue) Shard(clusters, workers int) []Queue {
	clusters, workers = max(clusters, 1), max(workers, 1)
	low, high := 0.0, total(q.Parallel)+total(q.Serial)+longest(q.Parallel) // fits for certain
	best, _ := q.pack(clusters, workers, high)
	for range 50 {
		middle := (low + high) / 2
		if packed, fits := q.pack(clusters, workers, middle); fits {
			best, high = packed, middle
		} else {
			low = middle
		}
	}
	return best
}

// ShardBound is the time below which no division comes: all workers of all
// clusters are busy to the end, or wait for one spec.
func (q Queue) ShardBound(clusters, workers int) float64 {
	if clusters <= 1 {
		return q.Bound(workers)
	}
	even := total(q.Parallel)/float64(max(workers, 1)) + total(q.Serial)
	return max(even/float64(clusters), longest(q.Parallel), longest(q.Serial))
}

// tolerance is what sums of durations may be off.
const tolerance = 1e-6

// pack divides the queue so that each cluster is done within a time, if it
// can.
func (q Queue) pack(clusters, workers int, within float64) (parts []Queue, fits bool) {
	parts = make([]Queue, clusters)
	room := slices.Repeat([]float64{within}, clusters) // before the serial specs begin
	for _, s := range q.Serial {
		at := fullest(room, s.Seconds, longest(q.Parallel))
		if at < 0 {
			return parts, false
		}
		room[at] -= s.Seconds
		parts[at].Serial = append(parts[at].Serial, s)
	}
	others := make([]int, 0, clusters)
	for c := 1; c < clusters; c++ {
		others = append(others, c)
	}
	slices.SortStableFunc(others, func(a, b int) int { return cmp.Compare(room[a], room[b]) })
	rest := q.Parallel
	for _, c := range others {
		parts[c].Parallel, rest = take(rest, room[c], float64(workers))
	}
	parts[0].Parallel = rest
	// The longest spec may take longer than that: the others are divided as
	// evenly as they would be if it did not.
	return parts, total(rest)/float64(workers) <= room[0]+tolerance
}

// fullest finds the cluster with the least room that still has enough, the
// first one last: it keeps room for the longest of the specs that run side by
// side.
func fullest(room []float64, seconds, longest float64) int {
	at := -1
	for c := 1; c < len(room); c++ {
		if seconds <= room[c]+tolerance && (at < 0 || room[c] < room[at]) {
			at = c
		}
	}
	if at < 0 && seconds+longest <= room[0]+tolerance {
		at = 0
	}
	return at
}

// take fills the room of a cluster with the longest specs of which a worker
// has time for two: with one alone, the others would wait for it.
func take(specs []Spec, room, workers float64) (taken, rest []Spec) {
	shared := 0.0
	for _, s := range specs {
		if s.Seconds <= room/2 && shared+s.Seconds/workers <= room+tolerance {
			shared += s.Seconds / workers
			taken = append(taken, s)
		} else {
			rest = append(rest, s)
		}
	}
	return taken, rest
}

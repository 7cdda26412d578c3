package cncf

import (
	"fmt"
	"time"
)

// minorReleases are the days on which the minors of Kubernetes were released,
// in order. They decide which can be submitted. A new one is a line here.
func minorReleases() []minorRelease {
	return []minorRelease{
		{18, "2020-03-25"},
		{19, "2020-08-26"},
		{20, "2020-12-08"},
		{21, "2021-04-08"},
		{22, "2021-08-04"},
		{23, "2021-12-07"},
		{24, "2022-05-03"},
		{25, "2022-08-23"},
		{26, "2022-12-09"},
		{27, "2023-04-11"},
		{28, "2023-08-15"},
		{29, "2023-12-13"},
		{30, "2024-04-17"},
		{31, "2024-08-13"},
		{32, "2024-12-11"},
		{33, "2025-04-23"},
		{34, "2025-08-27"},
		{35, "2025-12-17"},
		{36, "2026-04-22"},
		{37, "2026-08-26"},
	}
}

type minorRelease struct {
	minor int
	day   string
}

// openMinors are those that can be submitted on a day: the newest and the two
// before it. The lists of days and of what the program knows end somewhere;
// stale says that a day lies so far behind that a newer minor must be out.
func openMinors(asOf time.Time) (open []int, stale bool) {
	day := asOf.Format(time.DateOnly)
	known := minorReleases()
	for _, r := range known {
		if r.day <= day {
			open = append(open, r.minor)
		}
	}
	const cycle = 140 * 24 * time.Hour // three a year
	newest, err := time.Parse(time.DateOnly, known[len(known)-1].day)
	stale = err != nil || asOf.Sub(newest) > cycle
	return open[max(0, len(open)-3):], stale
}

func minorName(minor int) string { return fmt.Sprintf("v1.%d", minor) }

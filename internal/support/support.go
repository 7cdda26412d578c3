// Package support knows the channels of EKS Distro and which of them a support
// policy covers on a day. The dates are data, with their sources; policies are
// rules over them. It is pure: the day is an argument.
package support

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

//go:embed channels.yaml
var channels []byte

// Channel is what is known about one channel. Dates are UTC days; zero is
// unknown.
type Channel struct {
	Name   string `json:"channel"`
	First  Date   `json:"first"` // of its first release
	Latest Latest `json:"latest"`
	EKS    EKS    `json:"eks,omitzero"`
}

// Latest is the newest release of a channel when the data was written.
type Latest struct {
	Number     int    `json:"number"`
	Date       Date   `json:"date"`
	Kubernetes string `json:"kubernetes"`
	Source     string `json:"source"`
}

// EKS are the dates of the service that channels follow.
type EKS struct {
	Release     Date   `json:"release,omitzero"`
	EndStandard Date   `json:"endStandard,omitzero"` // of standard support
	EndExtended Date   `json:"endExtended,omitzero"` // of extended support
	Source      string `json:"source"`
}

// Table is all that is known, channels from old to new.
type Table struct {
	Sources  map[string]string `json:"sources"` // where a source is, by its name in the data
	Channels []Channel         `json:"channels"`
}

// Date is a day in UTC, written as 2026-11-25.
type Date struct{ time.Time }

// ParseDate reads a day.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return Date{}, fmt.Errorf("%q is no day: write it as 2026-11-25", text)
	}
	return Date{t}, nil
}

// String writes a day, "" for an unknown one.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return d.Format(time.DateOnly)
}

// MarshalText writes a day.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// MarshalJSON writes a day: a time would be written otherwise.
func (d Date) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(d.String())), nil }

// UnmarshalJSON reads a day.
func (d *Date) UnmarshalJSON(data []byte) error {
	text, err := strconv.Unquote(string(data))
	if err == nil && text != "" {
		*d, err = ParseDate(text)
	}
	return err
}

// Known returns the table that comes with the program.
func Known() (Table, error) { return Parse(channels) }

// Parse reads a table. The error names the channel that is wrong.
func Parse(data []byte) (Table, error) {
	var t Table
	if err := yaml.UnmarshalStrict(data, &t); err != nil {
		return Table{}, fmt.Errorf("reading table of channels: %w", err)
	}
	before := 0
	for _, c := range t.Channels {
		minor, err := minorOf(c.Name)
		switch {
		case err != nil:
			return Table{}, fmt.Errorf("reading table of channels: %w", err)
		case minor <= before:
			return Table{}, fmt.Errorf("reading table of channels: %s is not newer than the one before it", c.Name)
		case c.First.IsZero():
			return Table{}, fmt.Errorf("reading table of channels: %s has no first date", c.Name)
		}
		for _, source := range []string{c.Latest.Source, c.EKS.Source} {
			if source != "" && t.Sources[source] == "" {
				return Table{}, fmt.Errorf("reading table of channels: %s has an unknown source %q", c.Name, source)
			}
		}
		before = minor
	}
	return t, nil
}

func minorOf(channel string) (int, error) {
	minor, err := strconv.Atoi(strings.TrimPrefix(channel, "1-"))
	if err != nil || minor < 1 || !strings.HasPrefix(channel, "1-") {
		return 0, fmt.Errorf("%q is no channel like 1-34", channel)
	}
	return minor, nil
}

// Status says whether a policy covers a channel on a day.
type Status struct {
	Supported bool `json:"supported"`
	// End is the first day that is not covered, zero where it depends on
	// releases that are yet to come.
	End Date   `json:"end,omitzero"`
	Why string `json:"why"`
}

// Policy is a rule that says until when channels are supported.
type Policy struct {
	Name string
	Doc  string
	end  func(t Table, i int) (Date, string) // of the i-th channel; zero: open
}

// Policies returns the presets.
func Policies() []Policy {
	return []Policy{
		{"eks-standard", "EKS standard support: 14 months", func(t Table, i int) (Date, string) {
			return until(t.Channels[i], t.Channels[i].EKS.EndStandard, 14, "standard")
		}},
		{"eks-extended", "EKS extended support: 26 months", func(t Table, i int) (Date, string) {
			return until(t.Channels[i], t.Channels[i].EKS.EndExtended, 26, "extended")
		}},
		{"upstream", "the newest three minor versions, as Kubernetes itself does", func(t Table, i int) (Date, string) {
			return newest(t, i, 3, 0)
		}},
		{"eks-2020", "the newest four versions and 60 days, as in 2020", func(t Table, i int) (Date, string) {
			return newest(t, i, 4, 60)
		}},
	}
}

// Find returns the policy of a name.
func Find(name string) (Policy, error) {
	var known []string
	for _, p := range Policies() {
		if p.Name == name {
			return p, nil
		}
		known = append(known, p.Name)
	}
	return Policy{}, fmt.Errorf("unknown support policy %q; known: %s", name, strings.Join(known, ", "))
}

// until is a published end, or so many months after the release where none is.
func until(c Channel, published Date, months int, which string) (Date, string) {
	if !published.IsZero() {
		return published, "end of " + which + " support by " + c.EKS.Source
	}
	from, what := c.EKS.Release, "EKS had it"
	if from.IsZero() {
		from, what = c.First, "its first release"
	}
	return Date{from.AddDate(0, months, 0)}, fmt.Sprintf("%d months after %s", months, what)
}

// newest ends when so many newer channels have come, and some days later.
func newest(t Table, i, most, days int) (Date, string) {
	why := fmt.Sprintf("among the newest %d", most)
	if days > 0 {
		why += fmt.Sprintf(", and %d days", days)
	}
	if i+most >= len(t.Channels) {
		return Date{}, why
	}
	by := t.Channels[i+most]
	return Date{by.First.AddDate(0, 0, days)}, why + ": " + by.Name + " came on " + by.First.String()
}

// On says whether the policy covers a channel on a day. A channel that the
// table does not have, or that has no release yet, is not covered. What came
// after the day is not known on it.
func (p Policy) On(t Table, channel string, day Date) Status {
	past := Table{Channels: slices.DeleteFunc(slices.Clone(t.Channels), func(c Channel) bool { return c.First.After(day.Time) })}
	i := slices.IndexFunc(past.Channels, func(c Channel) bool { return c.Name == channel })
	if i < 0 {
		return Status{Why: "no release of it by " + day.String()}
	}
	end, why := p.end(past, i)
	return Status{Supported: end.IsZero() || day.Before(end.Time), End: end, Why: why}
}

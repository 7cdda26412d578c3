package support

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func day(t rapid.TB, text string) Date {
	t.Helper()
	d, err := ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func known(t rapid.TB) Table {
	t.Helper()
	table, err := Known()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestPolicies(t *testing.T) {
	table := known(t)
	for _, tc := range []struct{ policy, channel, on, end string }{ // "+": covered
		{"eks-standard", "1-34", "2026-11-27", "+2026-12-02"},
		{"eks-standard", "1-34", "2026-12-01", "+2026-12-02"},
		{"eks-standard", "1-34", "2026-12-02", "2026-12-02"},
		{"eks-standard", "1-31", "2026-11-27", "2025-11-26"},
		{"eks-extended", "1-31", "2026-11-25", "+2026-11-26"},
		{"eks-extended", "1-31", "2026-11-26", "2026-11-26"},
		{"eks-standard", "1-36", "2026-11-27", "+2027-08-02"}, // 14 months from its first release
		{"eks-extended", "1-36", "2026-11-27", "+2028-08-02"},
		{"eks-extended", "1-18", "2021-01-01", "+2022-12-13"},
		{"upstream", "1-36", "2026-11-27", "+"},
		{"upstream", "1-34", "2026-11-27", "+"},
		{"upstream", "1-33", "2026-11-27", "2026-06-02"},
		{"upstream", "1-33", "2026-06-01", "+"}, // 1-36 is not known yet
		{"eks-2020", "1-33", "2026-11-27", "+"},
		{"eks-2020", "1-32", "2026-07-31", "+2026-08-01"},
		{"eks-2020", "1-32", "2026-08-01", "2026-08-01"},
		{"upstream", "1-36", "2026-06-01", ""},
		{"upstream", "1-99", "2026-06-01", ""},
		{"eks-standard", "1-18", "2020-12-08", ""},
	} {
		p, err := Find(tc.policy)
		if err != nil {
			t.Fatal(err)
		}
		got := p.On(table, tc.channel, day(t, tc.on))
		end, covered := strings.CutPrefix(tc.end, "+")
		if got.Supported != covered || got.End.String() != end || got.Why == "" {
			t.Errorf("%s of %s on %s: %+v, want %s", tc.policy, tc.channel, tc.on, got, tc.end)
		}
	}
	if _, err := Find("eks"); err == nil || !strings.Contains(err.Error(), "eks-standard, eks-extended, upstream, eks-2020") {
		t.Errorf("got %v", err)
	}
}

// TestSupportEndsOnce: what is no longer covered does not come back.
func TestSupportEndsOnce(t *testing.T) {
	table := known(t)
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(Policies()).Draw(t, "policy")
		c := rapid.SampledFrom(table.Channels).Draw(t, "channel")
		on := Date{c.First.AddDate(0, 0, rapid.IntRange(0, 2500).Draw(t, "days"))}
		later := Date{on.AddDate(0, 0, rapid.IntRange(0, 2500).Draw(t, "more"))}
		if p.On(table, c.Name, later).Supported && !p.On(table, c.Name, on).Supported {
			t.Fatalf("%s covers %s on %s, but not on %s", p.Name, c.Name, later, on)
		}
	})
}

func TestBadTables(t *testing.T) {
	for text, want := range map[string]string{
		"channels: [{channel: 1-34}]":                                                                      "no first date",
		"channels: [{channel: '1.34', first: 2025-01-01}]":                                                 `"1.34" is no channel`,
		"channels: [{channel: 1-34, first: 2025-01-01}, {channel: 1-33, first: 2025-01-01}]":               "1-33 is not newer",
		"channels: [{channel: 1-34, first: 2025-13-01}]":                                                   "is no day",
		"channels: [{channel: 1-34, first: 2025-01-01, colour: green}]":                                    "colour",
		"channels: [{channel: 1-34, first: 2025-01-01, eks: {endStandard: 2025-01-01, source: somebody}}]": "unknown source",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

package matrix

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// rich is a good file with everything that there is.
const rich = `apiVersion: qualify/v1
kind: Matrix
suites: [smoke, conformance]
workers: 2
support: standard
tiers:
  quick: {suites: [smoke]}
  gate: {strength: 2}
axes:
  - name: os
    values:
      - name: debian-12
        family: debian
        support: {from: 2023-06-10, until: 2026-06-10, extended: 2028-06-30}
        containerd: "1.6.20"
        tier: quick
        weight: 9
      - name: bottlerocket
        kubelet: {from: "1.30", until: "1.34"}
        only: {provisioner: ec2}
        tier: full
      - name: rhel-9
        containerd: none
  - name: k8s
    values:
      - name: v1.34.4
        release: source:v1.34.4
        support: {from: 2025-08-27, until: 2026-10-27}
      - name: v1.35.4
        release: source:v1.35.4
  - name: provisioner
    values:
      - name: kind
        only: {os: [debian-12], k8s: ["1.34"]}
      - name: ec2
exclude:
  - {when: {os: rhel-9}, reason: no subscription, owner: node team, issue: "#7", expires: 2026-12-31}
include:
  - {when: {os: rhel-9, k8s: latest}, reason: one licence is there}
require:
  - {when: {os: debian-12, k8s: "1.34", provisioner: kind}, reason: what the gate stands on}
`

func TestLoadAttributes(t *testing.T) {
	m := load(t, rich)
	debian, _ := m.Value(OS, "debian-12")
	debian.line, debian.column = 0, 0
	want := Value{Name: "debian-12", Family: "debian", Containerd: "1.6.20", Tier: Quick, Weight: 9,
		Support: Window{From: "2023-06-10", Until: "2026-06-10", Extended: "2028-06-30"}}
	if !reflect.DeepEqual(debian, want) {
		t.Errorf("debian-12 is %+v, want %+v", debian, want)
	}
	bottlerocket, _ := m.Value(OS, "bottlerocket")
	if bottlerocket.Kubelet != (Minors{"1.30", "1.34"}) || !slices.Equal(bottlerocket.Only["provisioner"], []string{"ec2"}) {
		t.Errorf("bottlerocket is %+v", bottlerocket)
	}
	if m.Support != Standard || !slices.Equal(m.Tiers[Quick].Suites, []string{"smoke"}) || m.Tiers[Gate].Strength != 2 {
		t.Errorf("support %s, tiers %+v", m.Support, m.Tiers)
	}
	if len(m.Include) != 1 || m.Include[0].At() != "m.yaml:39" || m.Include[0].Reason != "one licence is there" {
		t.Errorf("include %+v", m.Include)
	}
	if len(m.Require) != 1 || m.Require[0].At() != "m.yaml:41" || !slices.Equal(m.Require[0].When[K8s], []string{"1.34"}) {
		t.Errorf("require %+v", m.Require)
	}
}

func TestRefusedAttributes(t *testing.T) {
	tests := []struct{ old, new, want string }{
		{"support: standard", "support: paid", "5:10: support is \"paid\"; write one of standard, extended, any"},
		{"quick: {suites", "huge: {suites", "7:3: tiers has the unknown key huge; known keys: quick, gate, full"},
		{"strength: 2", "strength: 4", "8:20: tiers.gate.strength is the number 4, not a number from 2 to 3; write e.g. `strength: 2`"},
		{"until: 2026-06-10, ", "", "14:18: axes[0].values[0].support has an extended end, and no other; add `until:`, or call the day that"},
		{"until: 2026-06-10", "until: 2022-06-10", "14:18: axes[0].values[0].support ends before it begins; put the days in order: from, until, extended"},
		{"extended: 2028-06-30", "extended: 2026-06-09", "14:18: axes[0].values[0].support ends before it begins; put the days in order: from, until, extended"},
		{"from: 2023-06-10", "from: 2023-06-31", `14:25: axes[0].values[0].support.from is "2023-06-31", not a day; write it as yyyy-mm-dd`},
		{`"1.6.20"`, "1.6", `15:21: axes[0].values[0].containerd is the number 1.6, not a text; put it in quotes: "1.6"`},
		{`"1.6.20"`, "old", `15:21: axes[0].values[0].containerd is "old", not a version; write e.g. "1.6.20", or none`},
		{"tier: quick", "tier: slow", `16:15: axes[0].values[0].tier is "slow"; write one of quick, gate, full`},
		{"weight: 9", "weight: 101", "17:17: axes[0].values[0].weight is the number 101, not a number from 1 to 100; write e.g. `weight: 2`"},
		{`from: "1.30"`, "from: 1.30", `19:25: axes[0].values[1].kubelet.from is the number 1.30, not a text; put it in quotes: "1.30" (unquoted, YAML reads it as 1.3)`},
		{`from: "1.30"`, `from: "1.30.1"`, `19:25: axes[0].values[1].kubelet.from is "1.30.1", not a minor; write e.g. "1.30", in quotes`},
		{`from: "1.30"`, `from: "1.35"`, "19:18: axes[0].values[1].kubelet ends before it begins; put from before until"},
		{"only: {provisioner: ec2}", "only: {arch: amd64}", "18:9: bottlerocket goes only with an axis arch, which is not there; the axes are os, k8s, provisioner"},
		{"only: {provisioner: ec2}", "only: {os: rhel-9}", "18:9: bottlerocket goes only with other values of its own axis; name another axis"},
		{"only: {provisioner: ec2}", "only: {provisioner: [ec2, ec3]}", "18:9: bottlerocket goes only with the provisioner ec3, which is not there; correct it, or add the value"},
		{"{os: rhel-9, k8s: latest}", "{cpu: fast}", "39:5: the rule is about the axis cpu, which is not there; the axes are os, k8s, provisioner"},
		{", reason: one licence is there", "", "39:5: include[0] has no reason; add `reason:`"},
		{"when: {os: debian-12, k8s", "when: {os: debian-9, k8s", "41:5: the requirement matches nothing: os has no value named debian-9; remove it, or correct its values"},
	}
	for _, tt := range tests {
		t.Run(tt.new, func(t *testing.T) {
			if strings.Count(rich, tt.old) != 1 {
				t.Fatalf("%q is %d times in the sample", tt.old, strings.Count(rich, tt.old))
			}
			if got := problems(t, strings.Replace(rich, tt.old, tt.new, 1)).Error(); got != "m.yaml:"+tt.want {
				t.Errorf("problems\n%s\nwant\nm.yaml:%s", got, tt.want)
			}
		})
	}
}

// An inclusion is stronger than any exclusion; one that matches nothing is a
// warning as an exclusion's is.
func TestInclude(t *testing.T) {
	m := load(t, rich)
	rules := m.rules()
	for k8s, want := range map[string]int{"v1.34.4": 0, "v1.35.4": -1} {
		if got := rules.removes(map[string]string{OS: "rhel-9", K8s: k8s, Provisioner: "ec2"}); got != want {
			t.Errorf("rhel-9 with %s: rule %d, want %d", k8s, got, want)
		}
	}
	m = load(t, strings.Replace(rich, "{os: rhel-9, k8s: latest}", "{os: rhel-8}", 1))
	if len(m.Warnings) != 1 || m.Warnings[0].Text != "the inclusion matches nothing: os has no value named rhel-8" {
		t.Errorf("warnings %v", m.Warnings)
	}
}

// Tabs, cycles, repeated keys: one clear error each, also among the attributes.
func TestHostileAttributes(t *testing.T) {
	for name, tt := range map[string]struct{ old, new, want string }{
		"tab":          {"        tier: quick", "\ttier: quick", "16:1: a tab in the indentation; indent with spaces"},
		"cyclic alias": {"{suites: [smoke]}", "&a {suites: [*a]}", "7:10: anchors (&name) and aliases (*name) are not accepted; write the value out where it is used"},
		"twice":        {"        weight: 9", "        weight: 9\n        weight: 8", "18:9: axes[0].values[0] has the key weight again, first on line 17; keep one of the two"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := problems(t, strings.Replace(rich, tt.old, tt.new, 1)).Error(); got != "m.yaml:"+tt.want {
				t.Errorf("problems\n%s\nwant\nm.yaml:%s", got, tt.want)
			}
		})
	}
}

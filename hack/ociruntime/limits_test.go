package main

import (
	"os"
	"strings"
	"testing"
)

func TestBoundingSet(t *testing.T) {
	tests := []struct {
		name, status string
		has, lacks   []string
		count        int
		fails        bool
	}{
		{
			name:   "one short",
			status: "Name:\tx\nCapEff:\t0000000000000000\nCapBnd:\t000001fffeffffff\nCapAmb:\t0\n",
			has:    []string{"CAP_CHOWN", "CAP_SYS_NICE", "CAP_SYS_TIME", "CAP_CHECKPOINT_RESTORE"},
			lacks:  []string{"CAP_SYS_RESOURCE"},
			count:  40,
		},
		{
			name:   "all, and some this table does not know",
			status: "CapBnd:\tffffffffffffffff\n",
			has:    []string{"CAP_SYS_RESOURCE"},
			count:  41,
		},
		{
			name:   "docker's default",
			status: "CapBnd:\t00000000a80425fb\n",
			has:    []string{"CAP_CHOWN", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP"},
			lacks:  []string{"CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_NET_ADMIN"},
			count:  14,
		},
		{name: "none", status: "CapBnd:\t0000000000000000\n", lacks: []string{"CAP_CHOWN"}},
		{name: "no line", status: "CapEff:\t000001ffffffffff\n", fails: true},
		{name: "no number", status: "CapBnd:\tmany\n", fails: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			caps, err := boundingSet([]byte(test.status))
			if (err != nil) != test.fails {
				t.Fatalf("error %v", err)
			}
			if len(caps) != test.count {
				t.Errorf("%d capabilities, want %d: %v", len(caps), test.count, caps)
			}
			for _, name := range test.has {
				if !caps[name] {
					t.Errorf("lacks %s", name)
				}
			}
			for _, name := range test.lacks {
				if caps[name] {
					t.Errorf("has %s", name)
				}
			}
		})
	}
}

// The table must know at least what this kernel knows up to the last name
// that it lists; a kernel with more is no failure, one with a hole is.
func TestCapNamesHaveNoHole(t *testing.T) {
	seen := map[string]bool{}
	for number, name := range capNames {
		if !strings.HasPrefix(name, "CAP_") || seen[name] {
			t.Errorf("capability %d is named %q", number, name)
		}
		seen[name] = true
	}
	if capNames[24] != capSysResource {
		t.Errorf("capability 24 is %s", capNames[24])
	}
}

func TestOwnLimits(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no proc file system")
	}
	own, err := ownLimits()
	if err != nil {
		t.Fatal(err)
	}
	if own.hard["RLIMIT_NOFILE"] == 0 {
		t.Errorf("no limit of open files: %v", own.hard)
	}
	if len(own.hard) != len(rlimitNumbers) {
		t.Errorf("read %d limits of %d", len(own.hard), len(rlimitNumbers))
	}
}

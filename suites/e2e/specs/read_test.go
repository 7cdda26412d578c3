package specs

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Answers of dig 9.18 to +noall +comments +answer.
const (
	digAnswer = `;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 40562
;; flags: qr aa rd; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 1
;; WARNING: recursion requested but not available

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
;; ANSWER SECTION:
web-headless.ns.svc.cluster.local. 30 IN A	10.244.2.7
web-headless.ns.svc.cluster.local. 30 IN A	10.244.1.5

`
	digMissing = `;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 1183
;; flags: qr aa rd; QUERY: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 1
`
	digFailure = `;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: SERVFAIL, id: 7
`
	digTimeout = ";; communications error to 10.96.0.10#53: timed out\n;; no servers could be reached\n"
)

func TestJudgeDNS(t *testing.T) {
	headless := query{name: "web-headless", addresses: []string{"10.244.1.5", "10.244.2.7"}}
	short := query{name: "web", addresses: []string{"10.244.1.5"}}
	missing := query{name: "no-such-service"}
	tests := map[string]struct {
		query  query
		output string
		good   bool
	}{
		"all addresses":         {headless, digAnswer, true},
		"one too many":          {short, digAnswer, false},
		"wanted but missing":    {headless, digMissing, false},
		"rightly missing":       {missing, digMissing, true},
		"missing, but answered": {missing, digAnswer, false},
		"failure is not absent": {missing, digFailure, false},
		"silence is not absent": {missing, digTimeout, false},
		"no output":             {missing, "", false},
	}
	for name, tc := range tests {
		if err := tc.query.judge(tc.output); (err == nil) != tc.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDig(t *testing.T) {
	for want, q := range map[string]query{
		"dig +search +time=2 +tries=1 +noall +comments +answer web A":       {name: "web", addresses: []string{"10.96.0.7"}},
		"dig +search +time=2 +tries=1 +tcp +noall +comments +answer web A":  {name: "web", option: "+tcp", addresses: []string{"10.96.0.7"}},
		"dig +search +time=2 +tries=1 +noall +comments +answer web AAAA":    {name: "web", addresses: []string{"fd00::7"}},
		"dig +search +time=2 +tries=1 +noall +comments +answer missing. A":  {name: "missing."},
		"dig +search +time=2 +tries=1 +noall +comments +answer web.ns.x. A": {name: "web.ns.x.", addresses: []string{"10.96.0.7"}},
	} {
		if got := dig(q); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestDialled(t *testing.T) {
	if got, err := dialled(`{"responses":["right"]}`); err != nil || got != "right" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{`{"errors":["timeout"]}`, `{"responses":[]}`, `{"responses":["a","b"]}`, `{"responses":["a"],"errors":["b"]}`, ``, `a`} {
		if got, err := dialled(bad); err == nil {
			t.Errorf("%q was read as %q", bad, got)
		}
	}
}

func TestEndpoints(t *testing.T) {
	if got := endpoint("fd00::5", 80, "/hostname"); got != "http://[fd00::5]:80/hostname" {
		t.Errorf("endpoint %s", got)
	}
	want := "http://localhost:8080/dial?host=10.244.1.5&port=8081&protocol=udp&request=hostname&tries=1"
	if got := dialUDP("10.244.1.5", "hostname"); got != want {
		t.Errorf("dial %s, want %s", got, want)
	}
}

// TestGetMany runs the script with a curl that answers twice and then fails:
// the failure must be counted too, and end the script.
func TestGetMany(t *testing.T) {
	dir := t.TempDir()
	curl := "#!/bin/sh\necho x >> " + dir + "/calls\n[ $(wc -l < " + dir + "/calls) -gt 2 ] && { echo 'curl: (28) timed out' >&2; exit 28; }\nprintf name\n"
	if err := os.WriteFile(filepath.Join(dir, "curl"), []byte(curl), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", getMany("http://10.96.0.7:80/hostname", 9))
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := tally(string(out)); !maps.Equal(got, map[string]int{"name": 2, "curl: (28) timed out": 1}) {
		t.Errorf("tally %v of %q", got, out)
	}
}

// TestTalk runs the talking script and judges it as the spec does.
func TestTalk(t *testing.T) {
	end := filepath.Join(t.TempDir(), "end")
	cmd := exec.Command("/bin/sh", "-c", strings.ReplaceAll(talk(), endFile, end))
	timer := time.AfterFunc(1200*time.Millisecond, func() { _ = os.WriteFile(end, nil, 0o600) })
	defer timer.Stop()
	out, err := cmd.Output()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != talkExit {
		t.Fatalf("ended with %v, want exit code %d", err, talkExit)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := talked(lines, lines[0]); err != nil || !strings.HasPrefix(lines[0], "boot ") {
		t.Errorf("%v in %q", err, lines)
	}
}

func TestReadEnviron(t *testing.T) {
	got := readEnviron("MODE=before\x00EMPTY=\x00PAIR=a=b\x00")
	if !maps.Equal(got, map[string]string{"MODE": "before", "EMPTY": "", "PAIR": "a=b"}) {
		t.Errorf("got %q", got)
	}
}

func TestMountType(t *testing.T) {
	mounts := "overlay / overlay rw 0 0\n/dev/sda1 /etc/keys ext4 rw 0 0\ntmpfs /etc/keys tmpfs ro 0 0\n"
	if got := mountType(mounts, "/etc/keys"); got != "tmpfs" {
		t.Errorf("got %q", got)
	}
	if got := mountType(mounts, "/etc/other"); got != "" {
		t.Errorf("got %q for a path that is no mount", got)
	}
}

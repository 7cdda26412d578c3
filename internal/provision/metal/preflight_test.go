package metal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/matrix"
)

var debian = want{os: "debian-12", arch: "amd64"}

// Fifty hosts, all in order: nothing is wrong, and each was asked little.
func TestPreflightOfMany(t *testing.T) {
	s := play(t, 50)
	if err := preflight(soon(t), s.machines(t), debian); err != nil {
		t.Fatal(err)
	}
	for _, a := range s.actors {
		if n := len(a.Commands()); n != 3 || a.Logins() != 1 {
			t.Errorf("host %s was sent %d commands over %d connections", a.name, n, a.Logins())
		}
	}
}

// BenchmarkPreflight50 measures the preflight of fifty hosts, servers included.
func BenchmarkPreflight50(b *testing.B) {
	s := play(b, 50)
	var most uint64
	for b.Loop() {
		if err := preflight(soon(b), s.machines(b), debian); err != nil {
			b.Fatal(err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse+m.StackInuse)
	}
	b.ReportMetric(float64(most)/1e6, "MB")
}

// Everything that is wrong with all hosts comes at once, and each problem is
// told with its host and a remedy. Nothing was changed.
func TestPreflightFindsEverything(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*stage)
		want  []string
	}{
		"os":              {func(s *stage) { s.actors[1].set("version", "99"); s.actors[2].set("os", "solaris") }, []string{"h1: operating system \"debian\" \"99\" is not known", "h2: operating system \"solaris\""}},
		"another os":      {func(s *stage) { s.actors[1].set("version", "13"); s.actors[1].set("cgroups", "v1") }, []string{"h1: it runs debian-13, the cell is of debian-12", "h1: systemd 257 does not boot"}},
		"arch":            {func(s *stage) { s.actors[1].set("arch", "aarch64") }, []string{"h1: it is arm64, the release is for amd64"}},
		"no systemd":      {func(s *stage) { s.actors[1].set("init", "tini") }, []string{`h1: its first process is "tini"`}},
		"clock":           {func(s *stage) { s.actors[2].set("clock", fmt.Sprint(time.Now().Add(time.Hour).Unix())) }, []string{"h2: its clock is off by "}},
		"memory":          {func(s *stage) { s.actors[0].set("memory", "1200000"); s.actors[1].set("memory", "1200000") }, []string{"h0: it has 1171 MiB of memory, a control-plane needs 1500"}},
		"disk":            {func(s *stage) { s.actors[1].set("disk", "0") }, []string{"h1: 0 MiB are free below /var/lib"}},
		"swap":            {func(s *stage) { s.actors[1].set("swap", "/dev/sda2,/swapfile") }, []string{"h1: it swaps to /dev/sda2, /swapfile"}},
		"cgroups":         {func(s *stage) { s.actors[1].set("cgroups", "") }, []string{"h1: it has no cgroups"}},
		"modules":         {func(s *stage) { s.actors[1].set("missing-module", "overlay") }, []string{"h1: the kernel has no overlay"}},
		"ports":           {func(s *stage) { s.actors[0].set("port", "192B,0016"); s.actors[1].set("port", "192B,280A") }, []string{"h0: port 6443 is taken", "h1: port 10250 is taken"}},
		"foreign":         {func(s *stage) { s.actors[1].set("foreign", "/etc/kubernetes/admin.conf") }, []string{"h1: it holds a cluster or containers that are not ours: /etc/kubernetes/admin.conf"}},
		"apt lock":        {func(s *stage) { s.actors[1].set("package-lock", "/var/lib/dpkg/lock-frontend") }, []string{"h1: another process installs packages"}},
		"held":            {func(s *stage) { s.actors[1].set("lease", "q-other") }, []string{"h1: it is held by lease q-other"}},
		"one machine-id":  {func(s *stage) { s.actors[2].set("machine-id", "id-of-h0") }, []string{"h2: it has the machine-id of host h0: id-of-h0"}},
		"one hostname":    {func(s *stage) { s.actors[2].set("hostname", "h1") }, []string{"h2: it has the hostname of host h1: h1"}},
		"no machine-id":   {func(s *stage) { s.actors[2].set("machine-id", "") }, []string{"h2: it has no hostname or no machine-id"}},
		"private address": {func(s *stage) { s.inv.Hosts[1].Private = "10.0.0.9" }, []string{"h1: 10.0.0.9 is none of its addresses (127.0.0.1)"}},
		"network": {func(s *stage) {
			s.actors[1].cuts = []string{fmt.Sprintf("127.0.0.1 %d", s.inv.Hosts[2].Access.Port), "198.51.100.1 22"}
		}, []string{"h1: it does not reach host h2 at 127.0.0.1"}},
		"gone": {func(s *stage) { s.actors[1].Close() }, []string{"h1: the host cannot be reached"}},
		"DNS":  {func(s *stage) { s.actors[1].set("nameserver", "127.0.0.11,::1") }, []string{"h1: it has no DNS server but itself (127.0.0.11, ::1)"}},
		"several": {func(s *stage) {
			for _, a := range s.actors {
				a.set("disk", "1")
				a.set("swap", "/dev/sda")
			}
		}, []string{"h0: 0 MiB", "h0: it swaps", "h1: 0 MiB", "h1: it swaps", "h2: 0 MiB", "h2: it swaps"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, 3)
			tt.spoil(s)
			err := preflight(soon(t), s.machines(t), debian)
			var all *PreflightError
			if !errors.As(err, &all) || len(all.Problems) != len(tt.want) {
				t.Fatalf("%v", err)
			}
			for i, p := range all.Problems {
				if !strings.HasPrefix(p.String(), "host "+tt.want[i]) || p.Remedy == "" || !strings.Contains(err.Error(), p.String()) {
					t.Errorf("problem %q, want %q", p, tt.want[i])
				}
			}
			if first, _, _ := strings.Cut(err.Error(), "\n"); !strings.HasSuffix(first, all.Problems[0].String()) {
				t.Errorf("the first line is %q", first)
			}
			var product *provision.ProductError
			if errors.As(err, &product) || !strings.Contains(err.Error(), "nothing was changed") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// What a host says is not believed further than it can be understood.
func TestFactsThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "did not end",
		"os debian\n":                   "did not end",
		"memory lots\nend end\n":        "memory \"lots\"",
		"clock NaN\nend end\n":          "clock \"NaN\"",
		"clock -1\nend end\n":           "clock \"-1\"",
		"port zz\nend end\n":            "port \"zz\"",
		"capabilities -\nend end\n":     "capabilities",
		strings.Repeat("x", maxFacts+1): "bytes of itself",
	} {
		if _, err := parseFacts([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	f, err := parseFacts([]byte("hostname a\x1b[31mb\nfuture thing\ncapabilities 0000003fffffffff\nend end\n"))
	if err != nil || f.hostname != "a[31mb" || f.lessRights {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := parseFacts([]byte("capabilities 00000000a80425fb\nend end\n")); err != nil || !f.lessRights {
		t.Errorf("%+v, %v", f, err)
	}
}

func FuzzFacts(f *testing.F) {
	f.Add([]byte("clock 1.5\nos debian\nport 192B\nend end\n"))
	f.Add([]byte("swap\nmemory 99999999999999999999\nend"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseFacts(text)
		if err == nil && strings.ContainsFunc(got.hostname+strings.Join(got.foreign, ""), func(r rune) bool { return r < ' ' }) {
			t.Errorf("control characters in %+v", got)
		}
	})
}

func TestChoose(t *testing.T) {
	inv := &inventory.Inventory{}
	for _, h := range []string{"w1 worker", "c1 control-plane", "w2 worker", "c2 control-plane", "w3 worker"} {
		name, role, _ := strings.Cut(h, " ")
		inv.Hosts = append(inv.Hosts, inventory.Host{Name: name, Role: role})
	}
	hosts, err := choose(inv, provision.Spec{Workers: 2})
	var names []string
	for _, h := range hosts {
		names = append(names, h.Name)
	}
	if err != nil || !slices.Equal(names, []string{"c1", "w1", "w2"}) {
		t.Errorf("%v, %v", names, err)
	}
	inv.Endpoint = &inventory.Endpoint{Address: "api.example", Port: 443}
	if hosts, err = choose(inv, provision.Spec{Workers: 1}); err != nil || len(hosts) != 3 || hosts[1].Name != "c2" || hosts[2].Name != "w1" {
		t.Errorf("with an endpoint: %v, %v", hosts, err)
	}
	inv.Endpoint = nil
	if _, err := choose(inv, provision.Spec{Workers: 4}); err == nil || !strings.Contains(err.Error(), "the cell wants 4 workers, the inventory has 3") {
		t.Errorf("%v", err)
	}
}

// A wrong password and a wrong key end with the preflight, and are in no text.
func TestWrongSecrets(t *testing.T) {
	s := play(t, 2)
	const wrong = "hunter2-is-wrong"
	if err := os.WriteFile(filepath.Join(filepath.Dir(s.cfg.Inventory), "password"), []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	err := preflight(soon(t), s.machines(t), debian)
	if err == nil || strings.Contains(err.Error(), wrong) || strings.Count(err.Error(), "unable to authenticate") != 2 {
		t.Errorf("error %v", err)
	}
	if got := s.cfg.Sink.Text("it is " + wrong); strings.Contains(got, wrong) {
		t.Error("the password was not registered")
	}
	p := &provisioner{cfg: s.cfg, inv: s.inv}
	for file, says := range map[string]string{"absent": "no such file", "inventory.yaml": "none that SSH can use"} {
		hosts := slices.Clone(s.inv.Hosts)
		hosts[0].Access.Key = file
		if _, _, err := p.connect(hosts); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "host h0") {
			t.Errorf("the key %s: %v", file, err)
		}
	}
}

func TestParseStateIsStrict(t *testing.T) {
	whole := "[packages]\nii a 1\n[modules]\n[sysctls]\nb 1\na 1\n[mounts]\n[links]\n[routes]\n[rules]\n[swap]\n[units]\n[files]\n/etc d 755 root\n"
	s, err := parseState([]byte(whole))
	if err != nil || !reflect.DeepEqual(s["sysctls"], []string{"a 1", "b 1"}) {
		t.Errorf("%v, %v", s, err)
	}
	for _, bad := range []string{"", "x\n" + whole, strings.Replace(whole, "[rules]\n", "", 1), whole[:40]} {
		if _, err := parseState([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	after, _ := parseState([]byte(strings.Replace(strings.Replace(whole, "ii a 1", "ii a 1\nii b 2", 1), "/etc d 755", "/etc d 700", 1)))
	if got := differences(s, after); !slices.Equal(got, []string{"files: + /etc d 700 root", "files: - /etc d 755 root", "packages: + ii b 2"}) {
		t.Errorf("differences %q", got)
	}
}

// A cell is refused that would be tested on something else than it says.
func TestCan(t *testing.T) {
	value := func(os, containerd string) matrix.Cell {
		return matrix.NewCell(map[string]string{matrix.OS: os, matrix.Containerd: containerd, matrix.Provisioner: Name})
	}
	for _, c := range []matrix.Cell{value("debian-12", matrix.OfOS), value("debian-12", "v1.7.32"), value("rocky-9", "v1.7.32"), value("ubuntu-24.04", ""), cell()} {
		if err := can(c); err != nil {
			t.Error(err)
		}
	}
	for want, c := range map[string]matrix.Cell{
		"unknown operating system": value("solaris", ""), "Rocky Linux 9 has no containerd of its own": value("rocky-9", ""), "Red Hat Enterprise Linux 8 has no containerd": value("rhel-8", matrix.OfOS),
		"Bottlerocket cannot be made a node: its kubelet is in its image": value("bottlerocket", ""), "neither \"os\" nor a version": value("debian-12", "newest"),
	} {
		if err := can(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

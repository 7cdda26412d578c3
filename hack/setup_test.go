// Package hack_test tests the scripts of this folder against a made-up host:
// a directory in the place of the root and programs that only write down how
// they were called.
package hack_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	fullSet  = "000001ffffffffff"
	shortSet = "000001fffeffffff"
)

// host is a made-up host. Its engine answers while the file `up` exists.
type host struct {
	t         *testing.T
	root, bin string
	env       []string
}

func newHost(t *testing.T, bounding string) *host {
	t.Helper()
	if testing.Short() {
		t.Skip("starts shells")
	}
	h := &host{t: t, root: t.TempDir(), bin: t.TempDir()}
	h.file("proc/self/status", "Name:\tx\nCapBnd:\t"+bounding+"\n")
	h.file("proc/sys/kernel/cap_last_cap", "40\n")
	h.file("proc/sys/fs/inotify/max_user_instances", "8192\n")
	h.file("proc/sys/fs/inotify/max_user_watches", "1048576\n")
	h.file("etc/ssl/certs/ca-certificates.crt", "x")
	h.file("usr/include/stdlib.h", "")
	h.file("sys/fs/cgroup/cgroup.controllers", "cpu\n")
	h.program("docker", `[ -e "$ROOT/up" ] && echo 1.2.3`)
	h.program("dockerd", `echo "$@" >>"$ROOT/dockerd.args"; touch "$ROOT/up"`)
	h.program("id", `echo 0`)
	h.program("ctr", `exit 1`)
	for _, name := range []string{"debootstrap", "make", "gcc", "iptables", "iptables-nft", "iptables-legacy", "ip6tables-legacy", "update-alternatives", "systemctl", "mount"} {
		h.program(name, `echo "$(basename "$0") $@" >>"$ROOT/calls"`)
	}
	return h
}

// file writes a file of the host.
func (h *host) file(path, text string) {
	h.t.Helper()
	full := filepath.Join(h.root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// program puts a shell script in front of the host's program of that name.
func (h *host) program(name, script string) {
	h.t.Helper()
	text := "#!/bin/bash\nROOT=" + h.root + "\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(h.bin, name), []byte(text), 0o755); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) up() { h.file("up", "") }

// read is a file of the host; one that is not there is empty.
func (h *host) read(path string) string {
	raw, err := os.ReadFile(filepath.Join(h.root, path))
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	return string(raw)
}

func (h *host) exists(path string) bool {
	_, err := os.Stat(filepath.Join(h.root, path))
	return err == nil
}

// setup runs the script and returns what it said.
func (h *host) setup() (string, error) {
	script, err := filepath.Abs("setup")
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command(script)
	cmd.Env = append(os.Environ(), "PATH="+h.bin+":"+os.Getenv("PATH"),
		"QUALIFY_SETUP_ROOT="+h.root, "QUALIFY_SETUP_WAIT=10")
	cmd.Env = append(cmd.Env, h.env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

func (h *host) mustSetup() string {
	h.t.Helper()
	out, err := h.setup()
	if err != nil {
		h.t.Fatalf("setup: %v\n%s", err, out)
	}
	return out
}

func (h *host) mustFail(text string) string {
	h.t.Helper()
	out, err := h.setup()
	if err == nil {
		h.t.Fatalf("setup succeeded:\n%s", out)
	}
	if !strings.Contains(out, text) {
		h.t.Errorf("no %q in:\n%s", text, out)
	}
	return out
}

func TestSetupLeavesAReadyHostAlone(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullSet)
	h.up()
	h.program("id", `echo 1000`)
	start := time.Now()
	out := h.mustSetup()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	if out != "setup: ready: engine 1.2.3\n" {
		t.Errorf("said %s", out)
	}
	if h.exists("dockerd.args") || h.exists("calls") {
		t.Errorf("called dockerd %q and %q", h.read("dockerd.args"), h.read("calls"))
	}
}

func TestSetupStartsAPlainEngineOnAWholeHost(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullSet)
	h.mustSetup()
	if got := h.read("dockerd.args"); got != "\n" {
		t.Errorf("dockerd was called with %q", got)
	}
	if h.exists("usr/local/lib/qualify") {
		t.Error("a runtime was installed that is not needed")
	}
}

func TestSetupPutsTheRuntimeInFrontOnAShortHost(t *testing.T) {
	t.Parallel()
	h := newHost(t, shortSet)
	h.mustSetup()
	runtime := filepath.Join(h.root, "usr/local/lib/qualify/ociruntime")
	want := "--add-runtime qualify=" + runtime + " --default-runtime qualify\n"
	if got := h.read("dockerd.args"); got != want {
		t.Errorf("dockerd was called with %q, want %q", got, want)
	}
	built, err := os.Stat(runtime)
	if err != nil {
		t.Fatal(err)
	}
	h.mustSetup()
	again, err := os.Stat(runtime)
	if err != nil || !os.SameFile(built, again) {
		t.Errorf("the runtime was built again (%v)", err)
	}
	h.file("usr/local/lib/qualify/ociruntime.stamp", "of other sources\n")
	h.mustSetup()
	if again, err = os.Stat(runtime); err != nil || os.SameFile(built, again) {
		t.Errorf("the runtime was not built anew (%v)", err)
	}
	if got := h.read("dockerd.args"); got != want {
		t.Errorf("an engine that answers was started again: %q", got)
	}
}

func TestSetupUsesSystemdWhereItIsInit(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullSet)
	h.file("run/systemd/system/x", "")
	h.program("systemctl", `echo "systemctl $@" >>"$ROOT/calls"; touch "$ROOT/up"`)
	h.mustSetup()
	if !strings.Contains(h.read("calls"), "systemctl start docker\n") || h.exists("dockerd.args") {
		t.Errorf("calls %q, dockerd %q", h.read("calls"), h.read("dockerd.args"))
	}
	h = newHost(t, shortSet)
	h.file("run/systemd/system/x", "")
	h.mustSetup()
	if strings.Contains(h.read("calls"), "systemctl") || !h.exists("dockerd.args") {
		t.Errorf("on a short host: calls %q, dockerd %q", h.read("calls"), h.read("dockerd.args"))
	}
}

// The caller reads the script's output until every holder has closed it. An
// engine that kept it open would hang a make or a CI step.
func TestSetupDetachesTheEngine(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullSet)
	h.program("dockerd", `touch "$ROOT/up"; echo $$ >"$ROOT/pid"; ps -o sid= $$ >"$ROOT/sid"
ls -l /proc/$$/fd >"$ROOT/fds"; echo to the log; exec sleep 8`)
	start := time.Now()
	h.env = append(h.env, "QUALIFY_SETUP_WAIT=5")
	h.mustSetup()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the caller waited %v for the engine's end", took)
	}
	deadline := time.Now().Add(3 * time.Second)
	// The log line is the last thing that the engine writes.
	for !strings.Contains(h.read("var/log/qualify-dockerd.log"), "to the log") && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if pid, sid := strings.TrimSpace(h.read("pid")), strings.TrimSpace(h.read("sid")); pid != sid {
		t.Errorf("the engine is process %s of session %s", pid, sid)
	}
	if strings.Contains(h.read("fds"), "setup.lock") {
		t.Errorf("the engine holds the lock:\n%s", h.read("fds"))
	}
	if got := h.read("var/log/qualify-dockerd.log"); !strings.Contains(got, "to the log") {
		t.Errorf("the log says %q", got)
	}
}

func TestSetupTellsWhyTheEngineStopped(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullSet)
	h.program("dockerd", `echo "no space for bridges"; exit 1`)
	out := h.mustFail("the engine stopped")
	if !strings.Contains(out, "no space for bridges") {
		t.Errorf("no tail of the log in:\n%s", out)
	}
}

func TestSetupWaitsForAnEngineThatIsStarting(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullSet)
	h.file("proc/77/comm", "dockerd\n")
	time.AfterFunc(time.Second, h.up)
	h.mustSetup()
	if h.exists("dockerd.args") {
		t.Error("a second engine was started")
	}
	h = newHost(t, fullSet)
	h.file("proc/77/comm", "dockerd\n")
	h.env = append(h.env, "QUALIFY_SETUP_WAIT=1")
	h.mustFail("does not answer after 1 s")
}

func TestSetupStartsOneEngineForTwoCallers(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullSet)
	h.program("dockerd", `echo started >>"$ROOT/dockerd.args"; sleep 1; touch "$ROOT/up"`)
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			if out, err := h.setup(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wait.Wait()
	if got := h.read("dockerd.args"); got != "started\n" {
		t.Errorf("engines: %q", got)
	}
}

func TestSetupForgetsTheDead(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullSet)
	h.file("var/run/docker.pid", "77")
	h.file("proc/77/comm", "bash\n") // the number is somebody else's now
	h.file("var/run/docker/containerd/containerd.pid", "78")
	h.file("run/containerd/containerd.sock", "")
	h.mustSetup()
	for _, path := range []string{"var/run/docker.pid", "var/run/docker/containerd/containerd.pid", "run/containerd/containerd.sock"} {
		if h.exists(path) {
			t.Errorf("%s is still there", path)
		}
	}

	h = newHost(t, fullSet)
	h.file("var/run/docker/containerd/containerd.pid", "78")
	h.file("proc/78/comm", "containerd\n")
	h.file("run/containerd/containerd.sock", "")
	h.program("ctr", `exit 0`)
	h.mustSetup()
	for _, path := range []string{"var/run/docker/containerd/containerd.pid", "run/containerd/containerd.sock"} {
		if !h.exists(path) {
			t.Errorf("%s of a living process is gone", path)
		}
	}
}

func TestSetupRaisesLimitsOnly(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullSet)
	h.up()
	const instances, watches = "proc/sys/fs/inotify/max_user_instances", "proc/sys/fs/inotify/max_user_watches"
	h.file(instances, "128\n")
	h.file(watches, "2000000\n")
	h.mustSetup()
	if h.read(instances) != "8192\n" || h.read(watches) != "2000000\n" {
		t.Errorf("instances %q, watches %q", h.read(instances), h.read(watches))
	}

	// A setting of the kernel that nobody may write, not even root.
	h = newHost(t, fullSet)
	h.up()
	full := filepath.Join(h.root, instances)
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/proc/sys/kernel/cap_last_cap", full); err != nil {
		t.Fatal(err)
	}
	if out := h.mustSetup(); !strings.Contains(out, "warning: fs/inotify/max_user_instances is 40") {
		t.Errorf("no warning in:\n%s", out)
	}
}

func TestSetupChoosesTheBackendThatWorks(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullSet)
	h.program("iptables", `exit 3`)
	h.program("iptables-nft", `case "$*" in *conntrack*) exit 3;; esac`)
	h.mustSetup()
	calls := h.read("calls")
	for _, name := range []string{"iptables", "ip6tables"} {
		want := "update-alternatives --set " + name + " " + filepath.Join(h.bin, name+"-legacy") + "\n"
		if !strings.Contains(calls, want) {
			t.Errorf("no %q in:\n%s", want, calls)
		}
	}

	h = newHost(t, fullSet)
	h.mustSetup()
	if strings.Contains(h.read("calls"), "update-alternatives") {
		t.Errorf("a working backend was changed:\n%s", h.read("calls"))
	}
	if !strings.Contains(h.read("calls"), "-t nat -X QUALIFY-SETUP\n") {
		t.Errorf("the probe's chain stays:\n%s", h.read("calls"))
	}

	h = newHost(t, fullSet)
	for _, name := range []string{"iptables", "iptables-nft", "iptables-legacy"} {
		h.program(name, `exit 3`)
	}
	if out := h.mustSetup(); !strings.Contains(out, "neither backend") {
		t.Errorf("no warning in:\n%s", out)
	}
}

func TestSetupMountsControlGroupsWhereNoneAre(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullSet)
	groups := filepath.Join(h.root, "sys/fs/cgroup")
	if err := os.Remove(filepath.Join(groups, "cgroup.controllers")); err != nil {
		t.Fatal(err)
	}
	h.mustSetup()
	if want := "mount -t cgroup2 cgroup2 " + groups + "\n"; !strings.Contains(h.read("calls"), want) {
		t.Errorf("no %q in %q", want, h.read("calls"))
	}
}

func TestSetupInstallsWhatIsMissing(t *testing.T) {
	t.Parallel()
	apt := `echo "$@" >>"$ROOT/apt"; stat -c %a "$ROOT/usr/sbin/policy-rc.d" >>"$ROOT/apt"`
	h := newHost(t, fullSet)
	h.up()
	h.file("usr/sbin/x", "")
	if err := os.Remove(filepath.Join(h.root, "etc/ssl/certs/ca-certificates.crt")); err != nil {
		t.Fatal(err)
	}
	h.program("apt-get", apt)
	h.mustSetup()
	want := "update -q\n755\ninstall -q -y --no-install-recommends ca-certificates\n755\n"
	if got := h.read("apt"); got != want {
		t.Errorf("apt-get was called: %q, want %q", got, want)
	}
	if h.exists("usr/sbin/policy-rc.d") {
		t.Error("services stay refused")
	}

	h.program("apt-get", `echo "mirror gone"; exit 100`)
	h.mustFail("apt-get update failed")
	if h.exists("usr/sbin/policy-rc.d") {
		t.Error("services stay refused after a failure")
	}

	h.program("apt-get", apt)
	h.file("usr/sbin/policy-rc.d", "#!/bin/sh\n# the owner's\nexit 104\n")
	h.mustSetup()
	if !strings.Contains(h.read("usr/sbin/policy-rc.d"), "the owner's") {
		t.Error("the host's own policy is gone")
	}
}

func TestSetupAsksForRootOnlyToChangeSomething(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullSet)
	h.program("id", `echo 1000`)
	h.mustFail("root is needed to start the engine")
	if h.exists("dockerd.args") {
		t.Error("the engine was started without root")
	}
}

func TestSetupReplacesAnEngineThatIsOnItsWayDown(t *testing.T) {
	t.Parallel()
	h := newHost(t, fullSet)
	h.file("proc/77/comm", "dockerd\n")
	time.AfterFunc(time.Second, func() { _ = os.RemoveAll(filepath.Join(h.root, "proc/77")) })
	h.mustSetup()
	if !h.exists("dockerd.args") {
		t.Error("no engine was started in the place of the one that ended")
	}
}

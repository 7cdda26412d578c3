package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestRunOnAFitHost(t *testing.T) {
	f := newFixture(t)
	checks := Run(context.Background(), f.options)
	var names []string
	for _, c := range checks {
		names = append(names, c.Name)
		if c.Status != OK || c.Remedy != "" || c.Detail == "" {
			t.Errorf("%+v", c)
		}
	}
	want := []string{
		"engine-client", "engine", "engine-storage", "capabilities", "cgroups", "disk-cache", "disk-engine",
		"memory", "cpus", "inotify", "go", "modules", "debootstrap",
	}
	if !slices.Equal(names, want) {
		t.Errorf("checks are %v", names)
	}
	if err := Unfit(checks); err != nil {
		t.Error(err)
	}
}

// spoilt is a way to make one check of a fit host something else than OK.
type spoilt struct {
	name, check string
	spoil       func(*fixture)
	status      Status
	detail      string // part of it
	remedy      string // part of it
}

func (s spoilt) run(t *testing.T) {
	f := newFixture(t)
	s.spoil(f)
	c := f.check(s.check)
	if c.Status != s.status || !strings.Contains(c.Detail, s.detail) || !strings.Contains(c.Remedy, s.remedy) {
		t.Errorf("got %+v,\nwant %s %q, remedy %q", c, s.status, s.detail, s.remedy)
	}
	if (c.Status == OK) != (c.Remedy == "") {
		t.Errorf("status and remedy do not go together: %+v", c)
	}
	if strings.Contains(c.Detail+c.Remedy, "\n") {
		t.Errorf("more than a line: %+v", c)
	}
}

func capabilities(mask string) func(*fixture) {
	return func(f *fixture) { f.proc("self/status", "CapBnd:\t"+mask+"\n") }
}

func info(text string) func(*fixture) {
	return func(f *fixture) { f.says[dockerInfo] = says(text) }
}

// both spoils in two ways.
func both(a, b func(*fixture)) func(*fixture) {
	return func(f *fixture) { a(f); b(f) }
}

func TestEngineChecks(t *testing.T) {
	dead := func(f *fixture) { f.says[dockerInfo] = complains("cannot\nconnect") }
	short := capabilities("000001fffeffffff")
	for _, s := range []spoilt{
		{"no client", "engine-client", func(f *fixture) { f.absent["docker"] = true }, Fail, "no docker", "hack/setup"},
		{"no engine", "engine", dead, Fail, "cannot connect", "hack/setup"},
		{"an old client's silence", "engine", info(`{"ServerVersion":""}`), Fail, "no engine answers", "hack/setup"},
		{"an error beside the answer", "engine", info(`{"ServerVersion":"1","ServerErrors":["too old"]}`), Fail, "too old", "hack/setup"},
		{"no JSON", "engine", info(`Server: yes`), Fail, "reading what the engine says", "hack/setup"},
		{"engine's version", "engine", func(*fixture) {}, OK, "version 20.10.24, default runtime runc", ""},
		{"storage of no engine", "engine-storage", dead, Warn, "not known", "hack/setup"},
		{"vfs", "engine-storage", info(`{"ServerVersion":"1","Driver":"vfs","DockerRootDir":"/d"}`), Warn, "vfs", "move /d"},
		{"another driver", "engine-storage", info(`{"ServerVersion":"1","Driver":"btrfs"}`), OK, "btrfs", ""},
		{"disk of no engine", "disk-engine", dead, Warn, "not known", "hack/setup"},
		{"engine elsewhere", "disk-engine", info(`{"ServerVersion":"1","DockerRootDir":"/none/such"}`), Warn, "/none/such is not on this host", "df"},

		{"all capabilities", "capabilities", func(*fixture) {}, OK, "all 41", ""},
		{"more than the kernel knows", "capabilities", capabilities("ffffffffffffffff"), OK, "all 41", ""},
		{"one short, runc", "capabilities", short, Fail, "lacks CAP_SYS_RESOURCE, so the engine's runtime runc", "stop the engine"},
		{"one short, our runtime", "capabilities",
			both(short, info(`{"ServerVersion":"1","DefaultRuntime":"qualify"}`)), OK, "CAP_SYS_RESOURCE; the engine's runtime qualify copes", ""},
		{"one short, no engine", "capabilities", both(short, dead), Warn, "does not answer", "hack/setup"},
		{"essential one short", "capabilities",
			both(capabilities("000001ffffdfffff"), info(`{"ServerVersion":"1","DefaultRuntime":"qualify"}`)), Fail, "lacks CAP_SYS_ADMIN, without which", "not restricted"},
		{"unnamed ones short", "capabilities", capabilities("0000003ffffffffe"), Fail, "lacks capability 0, capability 38, capability 39, capability 40", "stop"},
		{"no status file", "capabilities", func(f *fixture) { f.remove(f.options.ProcDir, "self/status") }, Warn, "not known", "proc"},
		{"no bounding set", "capabilities", func(f *fixture) { f.proc("self/status", "Name: x\n") }, Warn, "no bounding set", "proc"},
		{"odd bounding set", "capabilities", capabilities("all"), Warn, "reading the bounding set", "proc"},
		{"no last capability", "capabilities", func(f *fixture) { f.remove(f.options.ProcDir, "sys/kernel/cap_last_cap") }, Warn, "not known", "proc"},
		{"kernel of the future", "capabilities", func(f *fixture) { f.proc("sys/kernel/cap_last_cap", "64") }, Warn, "more than this program knows", "proc"},
	} {
		t.Run(s.name, s.run)
	}
}

func free(bytes uint64) func(*fixture) {
	return func(f *fixture) {
		for path := range f.free {
			f.free[path] = bytes
		}
	}
}

func memory(kibibytes uint64) func(*fixture) {
	return func(f *fixture) { f.proc("meminfo", fmt.Sprintf("MemTotal: %d kB\n", kibibytes)) }
}

func inotify(instances, watches string) func(*fixture) {
	return func(f *fixture) {
		f.proc("sys/fs/inotify/max_user_instances", instances)
		f.proc("sys/fs/inotify/max_user_watches", watches)
	}
}

func TestHostChecks(t *testing.T) {
	noControllers := func(f *fixture) { f.remove(f.options.SysDir, "fs/cgroup/cgroup.controllers") }
	for _, s := range []spoilt{
		{"cgroup v2", "cgroups", func(*fixture) {}, OK, "version 2", ""},
		{"cgroup v1", "cgroups", both(noControllers, func(f *fixture) { f.sys("fs/cgroup/devices/tasks", "") }), OK, "version 1; Kubernetes 1.35 and later need failCgroupV1: false", ""},
		{"no cgroups", "cgroups", noControllers, Fail, "no control groups", "hack/setup"},

		{"cache disk just too small", "disk-cache", free(10*gigabyte - 1), Fail, "9.9 GB free at /cache", "10.0 GB"},
		{"cache disk just not failing", "disk-cache", free(10 * gigabyte), Warn, "10.0 GB free", "25.0 GB"},
		{"cache disk just warned of", "disk-cache", free(25*gigabyte - 1), Warn, "24.9 GB", "25.0 GB"},
		{"cache disk just enough", "disk-cache", free(25 * gigabyte), OK, "25.0 GB", ""},
		{"engine's disk too small", "disk-engine", free(1), Fail, "0.0 GB", "10.0 GB"},
		{"disk not readable", "disk-cache", func(f *fixture) { delete(f.free, "/cache") }, Warn, "no disk at /cache", "df"},

		{"memory just too small", "memory", memory(3906249), Fail, "3.9 GB", "4.0 GB"},
		{"memory just not failing", "memory", memory(3906250), Warn, "4.0 GB", "8.0 GB"},
		{"memory just warned of", "memory", memory(7812499), Warn, "7.9 GB", "8.0 GB"},
		{"memory just enough", "memory", memory(7812500), OK, "8.0 GB", ""},
		{"memory not told", "memory", func(f *fixture) { f.proc("meminfo", "MemFree: 1 kB\n") }, Warn, "MemTotal", "free"},
		{"no meminfo", "memory", func(f *fixture) { f.remove(f.options.ProcDir, "meminfo") }, Warn, "not known", "proc"},

		{"one cpu", "cpus", func(f *fixture) { f.options.CPUs = 1 }, Warn, "1", "at least 2"},
		{"two cpus", "cpus", func(f *fixture) { f.options.CPUs = 2 }, OK, "2", ""},

		{"few instances", "inotify", inotify("8191", "1048576"), Warn, "8191 instances of 8192", "hack/setup"},
		{"few watches", "inotify", inotify("8192", "1048575"), Warn, "1048575 watches of 1048576", "hack/setup"},
		{"odd instances", "inotify", inotify("many", "1"), Warn, "not known", "proc"},
		{"odd watches", "inotify", inotify("1", ""), Warn, "not known", "proc"},

		{"no debootstrap", "debootstrap", func(f *fixture) { f.absent["debootstrap"] = true }, Fail, "no debootstrap", "hack/setup"},
	} {
		t.Run(s.name, s.run)
	}
}

func TestGoChecks(t *testing.T) {
	noGo := func(f *fixture) { f.absent["go"] = true }
	version := func(text string) func(*fixture) {
		return func(f *fixture) { f.says["go env GOVERSION"] = says(text) }
	}
	for _, s := range []spoilt{
		{"no go", "go", noGo, Fail, "no go on PATH", "install go1.26.4"},
		{"old go", "go", version("go1.25.9\n"), Fail, "go1.25.9 at /bin/go", "install"},
		{"release candidate before", "go", version("go1.26rc2\n"), Fail, "go1.26rc2", "install"},
		{"the oldest that will do", "go", version("go1.26.4\n"), OK, "go1.26.4 at /bin/go", ""},
		{"a two-digit minor", "go", version("go1.100.0\n"), OK, "go1.100.0", ""},
		{"an experiment", "go", version("go1.26.5 X:synctest\n"), OK, "go1.26.5", ""},
		{"built from head", "go", version("devel go1.27-abc\n"), Warn, `"devel go1.27-abc"`, "install"},
		{"broken go", "go", func(f *fixture) { f.says["go env GOVERSION"] = complains("no GOROOT") }, Fail, "no GOROOT", "install"},
		{"modules without go", "modules", noGo, Warn, "no go on PATH", "install"},
		{"modules refused", "modules", func(f *fixture) { f.says["go list -m "+probe] = complains("403\nForbidden") }, Fail, "403 Forbidden", "GOPROXY"},
	} {
		t.Run(s.name, s.run)
	}
}

func TestModulesAreAskedForPastTheCache(t *testing.T) {
	f := newFixture(t)
	asked := 0
	f.says["go list -m "+probe] = func() ([]byte, error) {
		asked++
		cmd := f.ran[len(f.ran)-1]
		if _, err := os.Stat(cmd.Dir + "/go.mod"); err != nil {
			t.Errorf("asked outside of a module: %v", err)
		}
		env := strings.Join(cmd.Env, " ")
		if asked == 1 {
			if !strings.Contains(env, "GOMODCACHE="+cmd.Dir) || !strings.Contains(env, "-modcacherw") {
				t.Errorf("first asked with %s", env)
			}
			return nil, errors.New("no route")
		}
		if strings.Contains(env, "GOMODCACHE") || !strings.Contains(env, "GOPROXY=off") {
			t.Errorf("then asked with %s", env)
		}
		return []byte("cached"), nil
	}
	c := f.check("modules")
	if c.Status != Warn || !strings.Contains(c.Detail, "no route") || !strings.Contains(c.Remedy, "GOPROXY") {
		t.Errorf("%+v", c)
	}
	if _, err := os.Stat(f.ran[len(f.ran)-1].Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the probe's folder stays: %v", err)
	}
}

// minimumGo and the module's own requirement are one fact in two places.
func TestMinimumGoIsTheModules(t *testing.T) {
	raw, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := fieldOf(string(raw), "go "); "go"+got != minimumGo {
		t.Errorf("go.mod says %s, this package %s", got, minimumGo)
	}
}

// The script raises to what this package asks for.
func TestSetupRaisesToWhatIsAskedFor(t *testing.T) {
	raw, err := os.ReadFile("../../hack/setup")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("max_user_instances %d\n", inotifyInstances),
		fmt.Sprintf("max_user_watches %d\n", inotifyWatches),
		"--default-runtime " + runtimeName + ")",
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("hack/setup has no %q", want)
		}
	}
}

func TestUnfit(t *testing.T) {
	good := Check{Name: "a", Status: OK}
	doubtful := Check{Name: "b", Status: Warn}
	bad, worse := Check{Name: "c", Status: Fail}, Check{Name: "d", Status: Fail}
	if err := Unfit([]Check{good, doubtful}); err != nil {
		t.Errorf("a warning makes unfit: %v", err)
	}
	err := Unfit([]Check{bad, good, worse})
	if !errors.Is(err, ErrUnfit) || err.Error() != "this host is not fit: c, d" {
		t.Errorf("error is %v", err)
	}
	if err := Unfit(nil); !errors.Is(err, ErrUnfit) {
		t.Errorf("nothing checked: %v", err)
	}
}

func TestOneLine(t *testing.T) {
	if got := oneLine(" a\n\tb  c\r\n"); got != "a b c" {
		t.Errorf("got %q", got)
	}
	long := oneLine(strings.Repeat("é", 300))
	if []rune(long)[239] != 'é' || !strings.HasSuffix(long, "…") || len([]rune(long)) != 241 {
		t.Errorf("got %q", long)
	}
}

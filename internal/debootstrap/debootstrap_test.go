package debootstrap

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
)

// bench is a cache, and a PATH on which debootstrap and chroot are scripts
// that write down how they were called.
type bench struct {
	t        *testing.T
	bin, log string
	cache    cache.Cache
}

// asked is what both scripts begin with: a line of their name and arguments.
const asked = `#!/bin/sh
set -eu
echo "${0##*/} $*" >>"$BENCH_LOG"
for root; do :; done
`

// installs is a debootstrap that makes a small system.
const installs = asked + `
mkdir -p "$root/etc" "$root/usr/bin"
echo "$DEBIAN_FRONTEND $LC_ALL $SOURCE_DATE_EPOCH" >"$root/etc/environment"
echo 'root:*:20000:0:99999:7:::' >"$root/etc/shadow"
date >"$root/etc/machine-id"
`

func newBench(t *testing.T, debootstrap string) *bench {
	t.Helper()
	b := &bench{t: t, bin: t.TempDir(), cache: cache.Cache{Dir: t.TempDir()}}
	b.log = filepath.Join(b.bin, "log")
	t.Setenv("PATH", b.bin+":/usr/bin:/bin")
	t.Setenv("BENCH_LOG", b.log)
	// The user's own settings must not reach the installation.
	t.Setenv("DEBIAN_FRONTEND", "dialog")
	t.Setenv("LC_ALL", "C.UTF-8")
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	b.install("debootstrap", debootstrap)
	b.install("chroot", asked+`echo "$4" >"$1/etc/script"`+"\n")
	return b
}

func (b *bench) install(name, text string) {
	b.t.Helper()
	must(b.t, os.WriteFile(filepath.Join(b.bin, name), []byte(text), 0o755))
}

func (b *bench) calls() []string {
	b.t.Helper()
	data, err := os.ReadFile(b.log)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	must(b.t, err)
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

func (b *bench) tar(r Recipe) string {
	b.t.Helper()
	file, err := Tar(context.Background(), b.cache, r)
	must(b.t, err)
	return file
}

// files are the plain files of a tar by their names.
func files(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	found := map[string]string{}
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		must(t, err)
		data, err := io.ReadAll(r)
		must(t, err)
		if h.Typeflag == tar.TypeReg {
			found[h.Name] = string(data)
		}
	}
}

func TestTarInstallsAndPacks(t *testing.T) {
	b := newBench(t, installs)
	file := b.tar(Recipe{Suite: "bookworm", Packages: []string{"systemd", "bash"}, Script: "echo done"})
	calls := b.calls()
	if len(calls) != 2 || !strings.HasPrefix(calls[0], "debootstrap --variant=minbase --include=bash,systemd bookworm /") ||
		!strings.HasPrefix(calls[1], "chroot /") || !strings.HasSuffix(calls[1], " sh -euc echo done") {
		t.Errorf("calls: %q", calls)
	}
	got := files(t, file)
	want := map[string]string{
		"etc/environment": "noninteractive C 0\n", "etc/script": "echo done\n", "etc/shadow": "root:*:1:0:99999:7:::\n",
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s holds %q, want %q", name, got[name], text)
		}
	}
	if _, there := got["etc/machine-id"]; there {
		t.Error("what differs between installations was packed")
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(file), "root")); !os.IsNotExist(err) {
		t.Errorf("the installation stays beside its tar: %v", err)
	}
}

func TestTarWithoutPackagesOrScript(t *testing.T) {
	b := newBench(t, installs)
	b.tar(Recipe{Suite: "bookworm"})
	if calls := b.calls(); len(calls) != 1 || !strings.HasPrefix(calls[0], "debootstrap --variant=minbase bookworm /") {
		t.Errorf("calls: %q", calls)
	}
}

func TestEveryPartOfTheRecipeIsInItsKey(t *testing.T) {
	b := newBench(t, installs)
	seen := map[string]Recipe{}
	for _, r := range []Recipe{
		{Suite: "bookworm"},
		{Suite: "trixie"},
		{Suite: "bookworm", Packages: []string{"bash"}},
		{Suite: "bookworm", Packages: []string{"bash", "curl"}},
		{Suite: "bookworm", Script: "bash"},
		{Suite: "bookworm", Script: "true"},
		{Suite: "bookworm", Packages: []string{"bash"}, Script: "true"},
	} {
		file := b.tar(r)
		if other, again := seen[file]; again {
			t.Errorf("%+v and %+v have the same file", r, other)
		}
		seen[file] = r
		calls := len(b.calls())
		if b.tar(r) != file || len(b.calls()) != calls {
			t.Errorf("%+v was made twice", r)
		}
	}
}

func TestTheOrderOfPackagesIsNotInTheKey(t *testing.T) {
	b := newBench(t, installs)
	packages := []string{"curl", "bash"}
	if b.tar(Recipe{Suite: "s", Packages: packages}) != b.tar(Recipe{Suite: "s", Packages: []string{"bash", "curl"}}) {
		t.Error("the same packages in another order give another file")
	}
	if packages[0] != "curl" {
		t.Error("the caller's list was sorted")
	}
}

func TestAProgramThatIsMissingIsNamed(t *testing.T) {
	b := newBench(t, installs)
	for _, name := range []string{"chroot", "debootstrap"} {
		must(t, os.Remove(filepath.Join(b.bin, name)))
		// The machine's own must not be found either: nothing is installed here.
		empty := t.TempDir()
		sh, err := exec.LookPath("sh")
		must(t, err)
		must(t, os.Symlink(sh, filepath.Join(empty, "sh")))
		for _, tool := range []string{"mkdir", "date"} {
			path, err := exec.LookPath(tool)
			must(t, err)
			must(t, os.Symlink(path, filepath.Join(empty, tool)))
		}
		t.Setenv("PATH", b.bin+":"+empty)
		_, err = Tar(context.Background(), b.cache, Recipe{Suite: "s", Script: "true"})
		if err == nil || !strings.Contains(err.Error(), name+" is not installed: run hack/setup") {
			t.Errorf("without %s: error %v", name, err)
		}
		t.Setenv("PATH", b.bin+":/usr/bin:/bin")
	}
}

func TestAFailedInstallationTellsWhyAndLeavesNothing(t *testing.T) {
	b := newBench(t, asked+`mkdir -p "$root/debootstrap"
for i in 1 2 3 4 5 6 7 8 9; do echo "line $i"; done >"$root/debootstrap/debootstrap.log"
echo 'E: no such package' >>"$root/debootstrap/debootstrap.log"
echo 'W: see the log' >&2
exit 1
`)
	_, err := Tar(context.Background(), b.cache, Recipe{Suite: "bookworm"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"making a bookworm root filesystem: ", "debootstrap: exit status 1", "line 9 | E: no such package"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "line 1 ") {
		t.Errorf("the whole log is told: %v", err)
	}
	left, globErr := filepath.Glob(filepath.Join(b.cache.Dir, "rootfs", "*"))
	must(t, globErr)
	for _, name := range left {
		if filepath.Ext(name) != ".lock" {
			t.Errorf("%s is left", name)
		}
	}
}

func TestAFailedScriptIsAnError(t *testing.T) {
	b := newBench(t, installs)
	b.install("chroot", asked+"echo 'no such unit' >&2\nexit 3\n")
	_, err := Tar(context.Background(), b.cache, Recipe{Suite: "s", Script: "true"})
	if err == nil || !strings.Contains(err.Error(), "chroot: exit status 3") || !strings.Contains(err.Error(), "no such unit") {
		t.Errorf("error %v", err)
	}
}

// What debootstrap has started must not go on installing when the run ends.
// Its processes may have numbers of their own, so they are found by their words.
func TestCancellingKillsWhatWasStarted(t *testing.T) {
	words := fmt.Sprintf("sleep 300.%d", time.Now().UnixNano())
	b := newBench(t, asked+words+" & wait\n")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := Tar(ctx, b.cache, Recipe{Suite: "s"})
		done <- err
	}()
	if !eventually(func() bool { return running(t, words) }) {
		t.Fatal("debootstrap was not started")
	}
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want that of the context", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Tar does not come back")
	}
	if !eventually(func() bool { return !running(t, words) }) {
		t.Error("a child of debootstrap goes on")
	}
}

const killedEnv = "QUALIFY_DEBOOTSTRAP_TEST_WORDS"

// TestKilledProcess is the process that the next test kills.
func TestKilledProcess(t *testing.T) {
	words := os.Getenv(killedEnv)
	if words == "" {
		t.Skip("only for TestAKillEndsWhatWasStarted, which starts it")
	}
	b := newBench(t, asked+words+" & wait\n")
	_, err := Tar(context.Background(), b.cache, Recipe{Suite: "s"})
	t.Fatal(err)
}

// Nor when its process is killed: its mounts and children would be there when
// the next one removes what was half-made.
func TestAKillEndsWhatWasStarted(t *testing.T) {
	if _, err := exec.LookPath("unshare"); err != nil || os.Geteuid() != 0 {
		t.Skip("without root there are no mounts")
	}
	words := fmt.Sprintf("sleep 301.%d", time.Now().UnixNano())
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$")
	cmd.Env = append(os.Environ(), killedEnv+"="+words, "TMPDIR="+t.TempDir())
	must(t, cmd.Start())
	if !eventually(func() bool { return running(t, words) }) {
		t.Error("debootstrap was not started")
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if !eventually(func() bool { return !running(t, words) }) {
		t.Error("a child of debootstrap goes on")
	}
}

func eventually(holds func() bool) bool {
	for range 600 {
		if holds() {
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

// running tells whether there is a process with the words as its command line.
func running(t *testing.T, words string) bool {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && strings.ReplaceAll(strings.TrimRight(string(line), "\x00"), "\x00", " ") == words {
			return true
		}
	}
	return false
}

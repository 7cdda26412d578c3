package scratch

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const makes = "QUALIFY_SCRATCH_TEST"

// TestMain is also a process that makes a directory, says it and waits to be
// killed.
func TestMain(m *testing.M) {
	if os.Getenv(makes) == "" {
		os.Exit(m.Run())
	}
	dir, _, err := Dir("killed")
	if err != nil {
		panic(err)
	}
	fmt.Println(dir)
	select {}
}

func TestDir(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir, remove, err := Dir("tests")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(dir, filepath.Join(os.TempDir(), "qualify-tests-")) {
		t.Errorf("directory %s", dir)
	}
	entries, err := os.ReadDir(dir)
	info, statErr := os.Stat(dir)
	if err != nil || len(entries) > 0 || statErr != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("it holds %v, %v; %v, %v", entries, err, info, statErr)
	}
	if litter, err := Litter(); err != nil || len(litter) > 0 {
		t.Errorf("litter of a living process: %v, %v", litter, err)
	}
	// Also what was made so that nobody may change it.
	deep := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(deep), 0o500); err != nil {
		t.Fatal(err)
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestLitter(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	strange := filepath.Join(os.TempDir(), "qualify-of-somebody-else")
	if err := os.Mkdir(strange, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(os.TempDir(), "qualify-file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), makes+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	top := filepath.Dir(strings.TrimSpace(line))
	if litter, err := Litter(); err != nil || len(litter) > 0 {
		t.Errorf("litter of a living process: %v, %v", litter, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	litter, err := Litter()
	if err != nil || !slices.Equal(litter, []string{top}) {
		t.Fatalf("litter %v, %v, want %s", litter, err, top)
	}
	if err := Remove(top); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(top); err == nil {
		t.Error("it is still there")
	}
	if _, err := os.Stat(strange); err != nil {
		t.Error("what is not ours is gone")
	}
}

func TestDirFails(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "absent"))
	if dir, _, err := Dir("tests"); err == nil {
		t.Errorf("made %s", dir)
	}
}

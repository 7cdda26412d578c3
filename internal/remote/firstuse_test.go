package remote

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/remote/remotetest"
)

// A machine that nobody has vouched for is trusted once, remembered, and told
// of; what comes in its place later is refused.
func TestFirstUse(t *testing.T) {
	s := serve(t, remotetest.Shell())
	known := filepath.Join(t.TempDir(), "known_hosts")
	use := func(first *FirstUse) error {
		to := target(t, s)
		var err error
		if to.HostKey, to.Algorithms, err = first.Known(known, s.Address); err != nil {
			return err
		}
		_, err = host(t, to, Options{}).Root(Guard{}).Exec(soon(t), cluster.Command("true"))
		return err
	}
	first := &FirstUse{}
	for range 2 { // the second connection finds what the first has added
		if err := use(first); err != nil {
			t.Fatal(err)
		}
	}
	told := first.Trusted()
	if len(told) != 1 || !strings.Contains(told[0], s.Address+" shows the key SHA256:") || !strings.Contains(told[0], "added to known_hosts") {
		t.Errorf("told %q", told)
	}
	text, err := os.ReadFile(known)
	if info, statErr := os.Stat(known); err != nil || statErr != nil || info.Mode().Perm() != 0o600 || strings.Count(string(text), "\n") != 1 {
		t.Errorf("the file: %q, %v, %v", text, err, statErr)
	}
	// Another process, without the flag, knows it by now.
	if _, algorithms, err := Known(known, s.Address); err != nil || len(algorithms) == 0 {
		t.Errorf("known: %v, %v", algorithms, err)
	}
	_, other, err := remotetest.Key()
	if err != nil {
		t.Fatal(err)
	}
	address := strings.Fields(string(text))[0]
	if err := os.WriteFile(known, []byte(address+" "+other), 0o600); err != nil {
		t.Fatal(err)
	}
	logins := s.Logins()
	again := &FirstUse{}
	if err := use(again); !errors.Is(err, ErrHostKey) || s.Logins() != logins || len(again.Trusted()) != 0 {
		t.Errorf("another machine in its place: %v, %d logins, trusted %q", err, s.Logins()-logins, again.Trusted())
	}
}

// Who cannot be remembered is not trusted: the next one to come would be too.
func TestFirstUseThatCannotBeRemembered(t *testing.T) {
	s := serve(t, remotetest.Shell())
	dir := t.TempDir()
	first := &FirstUse{}
	if _, _, err := first.Known(filepath.Join(dir, "none", "known_hosts"), s.Address); err == nil {
		t.Error("a file that cannot be made")
	}
	known := filepath.Join(dir, "known_hosts")
	to := target(t, s)
	var err error
	if to.HostKey, to.Algorithms, err = first.Known(known, s.Address); err != nil {
		t.Fatal(err)
	}
	first.remember = func(string, string) error { return errors.New("no space left on device") }
	refused := func() {
		t.Helper()
		if _, err := host(t, to, Options{}).Root(Guard{}).Exec(soon(t), cluster.Command("true")); err == nil || s.Logins() != 0 || len(first.Trusted()) != 0 {
			t.Errorf("%v, %d logins, trusted %q", err, s.Logins(), first.Trusted())
		}
	}
	refused()
	if err := os.Remove(known); err != nil {
		t.Fatal(err)
	}
	refused()
}

// A line is added to the file's end, not to its last line.
func TestFirstUseKeepsTheFile(t *testing.T) {
	s := serve(t, remotetest.Shell())
	_, other, err := remotetest.Key()
	if err != nil {
		t.Fatal(err)
	}
	known := filepath.Join(t.TempDir(), "known_hosts")
	before := "203.0.113.9 " + strings.TrimSpace(other)
	if err := os.WriteFile(known, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	to := target(t, s)
	if to.HostKey, to.Algorithms, err = (&FirstUse{}).Known(known, s.Address); err != nil {
		t.Fatal(err)
	}
	if _, err := host(t, to, Options{}).Root(Guard{}).Exec(soon(t), cluster.Command("true")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(known)
	if err != nil || !strings.HasPrefix(string(text), before+"\n") || strings.Count(string(text), "\n") != 2 {
		t.Errorf("the file: %q, %v", text, err)
	}
}

package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision/provisiontest"
	"github.com/qualify-dev/qualify/internal/remote/remotetest"
)

// The contract of all transports, as root and as somebody who becomes root.
func TestContract(t *testing.T) {
	for user, env := range map[string]string{"root": "", "admin": sudo(t, `[ "$1 $2" = "-n --" ] || exit 9; shift 2; exec "$@"`)} {
		t.Run(user, func(t *testing.T) {
			to := target(t, serve(t, remotetest.Shell(env)))
			to.User = user
			for name, g := range map[string]Guard{"bare": {}, "guarded": {Script: "true", Refusal: "not ours"}} {
				t.Run(name, func(t *testing.T) {
					provisiontest.Transport(t, cluster.Node{Name: "n1", Role: cluster.Worker, Transport: host(t, to, Options{}).Root(g)})
				})
			}
		})
	}
}

// A guard that refuses keeps the command from running, and is no exit code.
func TestGuard(t *testing.T) {
	h := host(t, target(t, serve(t, remotetest.Shell())), Options{})
	made := filepath.Join(t.TempDir(), "made")
	refusing := h.Root(Guard{Script: "exit 3", Refusal: "host n1 is not held by lease q-1"})
	_, err := refusing.Exec(soon(t), cluster.Command("touch", made))
	var exit *cluster.ExitError
	if !errors.Is(err, ErrRefused) || errors.As(err, &exit) || !strings.Contains(err.Error(), "is not held by lease q-1") {
		t.Errorf("error %v", err)
	}
	if err := refusing.Put(soon(t), made, 0o600, strings.NewReader("x")); !errors.Is(err, ErrRefused) {
		t.Errorf("put: %v", err)
	}
	if _, err := os.Stat(made); err == nil {
		t.Error("the command ran")
	}
	// A command that says the same is a command that ran.
	_, err = h.Root(Guard{Script: "true", Refusal: "no"}).Exec(soon(t), cluster.Script("echo no, really >&2; exit 120"))
	if !errors.As(err, &exit) || exit.Code != guardCode {
		t.Errorf("a command with the guard's exit code: %v", err)
	}
}

// Another machine than the one that was meant is sent nothing: no user, no
// password, no command.
func TestWrongHostKey(t *testing.T) {
	s := serve(t, remotetest.Shell())
	_, other, err := remotetest.Key()
	if err != nil {
		t.Fatal(err)
	}
	check, _, err := Pinned(other)
	if err != nil {
		t.Fatal(err)
	}
	known := filepath.Join(t.TempDir(), "known_hosts")
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(other))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(known, []byte(knownhosts.Line([]string{knownhosts.Normalize(s.Address)}, key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	byFile, _, err := Known(known, s.Address)
	if err != nil {
		t.Fatal(err)
	}
	stranger, _, err := Known(known, "203.0.113.9:22")
	if err != nil {
		t.Fatal(err)
	}
	for name, check := range map[string]ssh.HostKeyCallback{"pinned": check, "another is known": byFile, "none is known": func(_ string, a net.Addr, k ssh.PublicKey) error {
		return stranger("203.0.113.9:22", &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 22}, k)
	}} {
		to := target(t, s)
		to.HostKey = check
		_, err := host(t, to, Options{}).Root(Guard{}).Exec(soon(t), cluster.Command("true"))
		if !errors.Is(err, ErrHostKey) || !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "SHA256:") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.Tried() != 0 || s.Logins() != 0 || len(s.Commands()) != 0 {
		t.Errorf("%d passwords, %d logins, commands %q", s.Tried(), s.Logins(), s.Commands())
	}
}

// A host with several keys shows the one that is known.
func TestKnownHosts(t *testing.T) {
	s := serve(t, remotetest.Shell())
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s.HostKey))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(knownhosts.Line([]string{knownhosts.Normalize(s.Address)}, key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	to := target(t, s)
	if to.HostKey, to.Algorithms, err = Known(file, s.Address); err != nil {
		t.Fatal(err)
	}
	if len(to.Algorithms) != 1 || to.Algorithms[0] != ssh.KeyAlgoED25519 {
		t.Errorf("algorithms %v", to.Algorithms)
	}
	if _, err := host(t, to, Options{}).Root(Guard{}).Exec(soon(t), cluster.Command("true")); err != nil {
		t.Error(err)
	}
	if _, _, err := Known(file+".absent", s.Address); err == nil {
		t.Error("a file that is not there knows hosts")
	}
	if _, _, err := Pinned("nonsense"); err == nil {
		t.Error("nonsense was pinned")
	}
}

func TestWrongPassword(t *testing.T) {
	to := target(t, serve(t, remotetest.Shell()))
	const wrong = "hunter2-is-wrong"
	to.Auth = func() ([]ssh.AuthMethod, error) { return []ssh.AuthMethod{ssh.Password(wrong)}, nil }
	_, err := host(t, to, Options{}).Root(Guard{}).Exec(soon(t), cluster.Command("true"))
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "unable to authenticate") || strings.Contains(err.Error(), wrong) {
		t.Errorf("error %v", err)
	}
}

// Who may not become root is told what to do, and blames no command.
func TestSudoRefuses(t *testing.T) {
	to := target(t, serve(t, remotetest.Shell(sudo(t, "echo 'sudo: a password is required' >&2; exit 1"))))
	to.User = "admin"
	_, err := host(t, to, Options{}).Root(Guard{}).Exec(soon(t), cluster.Command("true"))
	var exit *cluster.ExitError
	if err == nil || errors.As(err, &exit) || !strings.Contains(err.Error(), "let admin run everything by sudo without a password") {
		t.Errorf("error %v", err)
	}
}

func TestBastion(t *testing.T) {
	s, jump := serve(t, remotetest.Shell()), serve(t, remotetest.Shell())
	to := target(t, s)
	to.Bastion = host(t, target(t, jump), Options{})
	h := host(t, to, Options{})
	out, err := h.Root(Guard{}).Exec(soon(t), cluster.Command("echo", "hello"))
	if err != nil || string(out.Stdout) != "hello\n" {
		t.Errorf("%q, %v", out.Stdout, err)
	}
	if len(jump.Commands()) != 0 || len(s.Commands()) != 1 || jump.Logins() != 1 {
		t.Errorf("the bastion ran %q, the host %q", jump.Commands(), s.Commands())
	}
	// A bastion that is gone is named.
	jump.Close()
	to.Bastion = host(t, target(t, jump), Options{})
	if _, err := host(t, to, Options{}).Root(Guard{}).Exec(soon(t), cluster.Command("true")); err == nil || !strings.Contains(err.Error(), "bastion") {
		t.Errorf("without the bastion: %v", err)
	}
}

// A cut under a command is told as such: nobody knows how far it came. The
// next command has a new connection.
func TestCut(t *testing.T) {
	started := make(chan bool)
	s := serve(t, func(c remotetest.Command) int {
		if strings.Contains(c.Line, "long") {
			started <- true
			<-c.Gone
			return 1
		}
		return 0
	})
	h := host(t, target(t, s), Options{})
	failed := make(chan error, 1)
	go func() {
		_, err := h.Root(Guard{}).Exec(soon(t), cluster.Command("long"))
		failed <- err
	}()
	<-started
	s.Cut()
	err := <-failed
	var exit *cluster.ExitError
	if !errors.Is(err, ErrLost) || errors.As(err, &exit) || !strings.Contains(err.Error(), "n1") {
		t.Errorf("error %v", err)
	}
	if _, err := h.Root(Guard{}).Exec(soon(t), cluster.Command("short")); err != nil {
		t.Errorf("after the cut: %v", err)
	}
	if s.Logins() != 2 {
		t.Errorf("%d logins", s.Logins())
	}
}

// A network that is away for less than the patience goes unnoticed; one that
// is away for longer ends the command.
func TestStall(t *testing.T) {
	const alive = 20 * time.Millisecond
	run := make(chan bool)
	s := serve(t, func(remotetest.Command) int { run <- true; <-run; return 0 })
	exec := func(misses int) (chan error, func()) {
		h := host(t, target(t, s), Options{Alive: alive, Misses: misses, Redial: alive, Pace: alive})
		failed := make(chan error, 1)
		go func() {
			_, err := h.Root(Guard{}).Exec(soon(t), cluster.Command("true"))
			failed <- err
		}()
		<-run
		return failed, s.Stall()
	}
	failed, resume := exec(10_000)
	time.Sleep(5 * alive) // several questions go unanswered
	resume()
	run <- true
	if err := <-failed; err != nil {
		t.Errorf("a short stall: %v", err)
	}
	failed, resume = exec(2)
	if err := <-failed; !errors.Is(err, ErrLost) {
		t.Errorf("a long stall: %v", err)
	}
	resume()
	run <- true
}

// A host that was there and is away is dialled again for a while; one that was
// never there is not.
func TestRedial(t *testing.T) {
	s := serve(t, remotetest.Shell())
	h := host(t, target(t, s), Options{Redial: 50 * time.Millisecond, Pace: time.Millisecond})
	if _, err := h.Root(Guard{}).Exec(soon(t), cluster.Command("true")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	_, err := h.Root(Guard{}).Exec(soon(t), cluster.Command("true"))
	for errors.Is(err, ErrLost) { // it may not have heard of the end yet
		_, err = h.Root(Guard{}).Exec(soon(t), cluster.Command("true"))
	}
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "for 50ms") {
		t.Errorf("a host that is gone: %v", err)
	}
	if _, err := host(t, target(t, s), Options{}).Root(Guard{}).Exec(soon(t), cluster.Command("true")); err == nil || strings.Contains(err.Error(), "for 1m") {
		t.Errorf("a host that was never there: %v", err)
	}
	h.Close()
	if _, err := h.Root(Guard{}).Exec(soon(t), cluster.Command("true")); err == nil {
		t.Error("a closed host runs commands")
	}
}

// Somebody who answers and never logs us in is left alone.
func TestSilentHost(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	to := target(t, serve(t, remotetest.Shell()))
	to.Address = silent.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		if conn, err := silent.Accept(); err == nil {
			cancel()
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	if _, err := host(t, to, Options{}).Root(Guard{}).Exec(ctx, cluster.Command("true")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// More than anybody reads is an error, and not the end of our memory.
func TestMuchOutput(t *testing.T) {
	s := serve(t, func(c remotetest.Command) int {
		to := c.Stdout
		if strings.Contains(c.Line, "stderr") {
			to = c.Stderr
		}
		for {
			if _, err := to.Write(make([]byte, 1<<20)); err != nil {
				return 1
			}
		}
	})
	for _, where := range []string{"stdout", "stderr"} {
		_, err := host(t, target(t, s), Options{}).Root(Guard{}).Exec(soon(t), cluster.Command(where))
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("more than %d bytes", mostOutput)) {
			t.Errorf("%s: %v", where, err)
		}
	}
}

// A transfer that was cut is taken up where it ended, and what is there is not
// sent again.
func TestStage(t *testing.T) {
	dir := t.TempDir()
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	local, to := filepath.Join(dir, "local"), filepath.Join(dir, "stage", digest)
	if err := os.WriteFile(local, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var sent atomic.Int64
	var cutAfter atomic.Int64
	var s *remotetest.Server
	shell := remotetest.Shell()
	s = serve(t, func(c remotetest.Command) int {
		if strings.Contains(c.Line, "cat >>") {
			c.Stdin = &counting{r: c.Stdin, n: &sent, most: &cutAfter, over: func() { s.Cut() }}
		}
		return shell(c)
	})
	r := host(t, target(t, s), Options{Pace: time.Millisecond}).Root(Guard{})
	cutAfter.Store(300_000)
	if err := r.Stage(soon(t), local, digest, to); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(to)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if n := sent.Load(); n >= 2*int64(len(data)) || s.Logins() < 2 {
		t.Errorf("%d bytes were sent of %d, over %d connections", n, len(data), s.Logins())
	}
	sent.Store(0)
	if err := r.Stage(soon(t), local, digest, to); err != nil || sent.Load() != 0 {
		t.Errorf("again: %d bytes, %v", sent.Load(), err)
	}
	// Bytes that are not what they should be never get the name.
	if err := os.WriteFile(to, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Stage(soon(t), local, strings.Repeat("0", 64), to+"-wrong"); err == nil || !strings.Contains(err.Error(), "another digest") {
		t.Errorf("a wrong digest: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(to)); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
	if err := r.Stage(soon(t), local, digest, to); err != nil {
		t.Errorf("over a damaged copy: %v", err)
	}
}

// counting counts what comes in, and once calls over when it is most.
type counting struct {
	r       io.Reader
	n, most *atomic.Int64
	over    func()
}

// Read reads on.
func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if most := c.most.Load(); most > 0 && c.n.Add(int64(n)) > most && c.most.CompareAndSwap(most, 0) {
		c.over()
	} else if most == 0 {
		c.n.Add(int64(n))
	}
	return n, err
}

// All are tried, not more at a time than the limit, and all errors are told.
func TestEach(t *testing.T) {
	var now, most atomic.Int64
	err := Each(5*Most, func(i int) error {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		if i%Most == 3 {
			return fmt.Errorf("host %d", i)
		}
		return nil
	})
	if most.Load() > Most || strings.Count(err.Error(), "host ") != 5 {
		t.Errorf("%d at a time, %v", most.Load(), err)
	}
}

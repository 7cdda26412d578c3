package metal

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/remote"
	"github.com/qualify-dev/qualify/internal/sink"
)

// connector makes hosts of an inventory. Hosts with the same bastion share one
// connection to it.
type connector struct {
	dir     string // of the inventory file
	sink    *sink.Sink
	options remote.Options
	first   *remote.FirstUse // trusts keys that nobody has vouched for; nil: nobody does

	mu       sync.Mutex
	bastions map[inventory.Access]*remote.Host
}

// host makes a host's connection, which is not opened yet.
func (c *connector) host(h inventory.Host) (*remote.Host, error) {
	target, err := c.target(h.Name, h.Access)
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", h.Name, err)
	}
	if h.Bastion == nil {
		return remote.New(target, c.options), nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bastions[*h.Bastion] == nil {
		through, err := c.target("bastion "+h.Bastion.Address, *h.Bastion)
		if err != nil {
			return nil, fmt.Errorf("the bastion of host %s: %w", h.Name, err)
		}
		c.bastions[*h.Bastion] = remote.New(through, c.options)
	}
	target.Bastion = c.bastions[*h.Bastion]
	return remote.New(target, c.options), nil
}

// close ends the connections to the bastions.
func (c *connector) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.bastions {
		b.Close()
	}
}

func (c *connector) target(name string, a inventory.Access) (remote.Target, error) {
	t := remote.Target{Name: name, Address: net.JoinHostPort(a.Address, strconv.Itoa(a.Port)), User: a.User}
	var err error
	switch {
	case a.HostKey != "":
		t.HostKey, t.Algorithms, err = remote.Pinned(a.HostKey)
	case c.first != nil:
		t.HostKey, t.Algorithms, err = c.first.Known(c.path(a.KnownHosts), t.Address)
	default:
		t.HostKey, t.Algorithms, err = remote.Known(c.path(a.KnownHosts), t.Address)
	}
	if err != nil {
		return t, err
	}
	t.Auth, err = c.proof(a)
	return t, err
}

// path makes a path of the inventory one of this process.
func (c *connector) path(p string) string {
	if rest, ok := strings.CutPrefix(p, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.dir, p)
}

// proof reads what shows who we are. What is read is a secret from here on.
func (c *connector) proof(a inventory.Access) (func() ([]ssh.AuthMethod, error), error) {
	switch {
	case a.Agent:
		return agentProof, nil
	case a.Key != "":
		text, err := os.ReadFile(c.path(a.Key))
		if err != nil {
			return nil, fmt.Errorf("reading its key: %w", err)
		}
		if err := c.sink.Add("ssh-key", string(text)); err != nil {
			return nil, fmt.Errorf("reading its key: %w", err)
		}
		signer, err := ssh.ParsePrivateKey(text)
		var locked *ssh.PassphraseMissingError
		if errors.As(err, &locked) {
			return nil, fmt.Errorf("the key %s has a passphrase: add it to an SSH agent and say `agent: true`", a.Key)
		}
		if err != nil {
			return nil, fmt.Errorf("the key %s is none that SSH can use: %w", a.Key, err)
		}
		return func() ([]ssh.AuthMethod, error) { return []ssh.AuthMethod{ssh.PublicKeys(signer)}, nil }, nil
	}
	text, err := os.ReadFile(c.path(a.PasswordFile))
	if err != nil {
		return nil, fmt.Errorf("reading its password: %w", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if err := c.sink.Add("ssh-password", password); err != nil {
		return nil, fmt.Errorf("reading its password from %s: %w", a.PasswordFile, err)
	}
	return func() ([]ssh.AuthMethod, error) { return []ssh.AuthMethod{ssh.Password(password)}, nil }, nil
}

// agentProof asks the agent that this process was started with.
func agentProof() ([]ssh.AuthMethod, error) {
	socket := os.Getenv("SSH_AUTH_SOCK")
	conn, err := net.Dial("unix", cmp.Or(socket, "/nonexistent"))
	if err != nil {
		return nil, fmt.Errorf("no SSH agent answers at SSH_AUTH_SOCK=%q: start one and add the key, or name a key file", socket)
	}
	// The connection must be there until the last key has signed, and nobody
	// says when that is; it ends with the process.
	return []ssh.AuthMethod{ssh.PublicKeysCallback(agent.NewClient(conn).Signers)}, nil
}

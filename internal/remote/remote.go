// Package remote reaches machines by SSH: a cluster.Transport that runs
// commands as root, survives a network that is away for a moment, and never
// talks to a machine that is not the one that was meant.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Target is a machine and what is needed to log in there.
type Target struct {
	Name    string // for messages, and of its node
	Address string // "host:port"
	User    string // who is not root becomes it by sudo
	// Auth makes the proofs of who we are, anew for each connection.
	Auth func() ([]ssh.AuthMethod, error)
	// HostKey accepts the machine's key or says why not, and Algorithms are
	// those of the keys that it knows; see Pinned and Known.
	HostKey    ssh.HostKeyCallback
	Algorithms []string
	Bastion    *Host // the host through which it is reached; nil: directly
}

// Options say how long a host may be silent.
type Options struct {
	// Alive is how often a connection is asked whether it is alive, 15 s where it
	// is 0. One that has not answered Misses times (4) is given up: a network
	// may be away for that long less one, and nothing notices.
	Alive  time.Duration
	Misses int
	// Redial is how long a host that was lost is dialled again, 1 min where it
	// is 0. The first connection is tried once.
	Redial time.Duration
	// Pace is the time between two attempts, 1 s where it is 0.
	Pace time.Duration
}

func (o Options) filled() Options {
	set := func(d *time.Duration, usual time.Duration) {
		if *d == 0 {
			*d = usual
		}
	}
	set(&o.Alive, 15*time.Second)
	set(&o.Redial, time.Minute)
	set(&o.Pace, time.Second)
	if o.Misses == 0 {
		o.Misses = 4
	}
	return o
}

// dialTime bounds one attempt to connect, from the first packet to the login.
const dialTime = 20 * time.Second

// ErrUnreachable marks a host that does not answer or does not let us in: a
// fault of the infrastructure.
var ErrUnreachable = errors.New("the host cannot be reached")

// ErrLost marks a connection that ended under a command: whether that ran to
// its end is not known.
var ErrLost = errors.New("the connection was lost")

// Host is a machine and the connection to it, which is made when it is first
// needed. It may be used from many goroutines.
type Host struct {
	target  Target
	options Options

	mu     sync.Mutex // held while a connection is made
	client *ssh.Client
	been   bool // it was connected before
	closed bool
}

// New returns a host. Nothing is sent before it is used.
func New(t Target, o Options) *Host { return &Host{target: t, options: o.filled()} }

// Name is the target's.
func (h *Host) Name() string { return h.target.Name }

// Close ends the connection, and commands that run over it. A closed host stays
// closed. What a command came to is known from the command, so a connection that
// had been cut before is as good as one that is closed here.
func (h *Host) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.client != nil {
		_ = h.client.Close()
	}
	h.client = nil
}

// HangUp ends the connection where there is one, and commands that run over it.
// The next command makes another.
func (h *Host) HangUp() {
	h.mu.Lock()
	client := h.client
	h.mu.Unlock()
	if client != nil {
		h.drop(client)
	}
}

// connection returns the living connection, or makes one.
func (h *Host) connection(ctx context.Context) (*ssh.Client, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if h.closed {
		return nil, fmt.Errorf("host %s: %w: it was closed", h.target.Name, ErrUnreachable)
	}
	if h.client != nil {
		return h.client, nil
	}
	client, err := h.dial(ctx)
	if h.been {
		client, err = h.again(ctx, client, err)
	}
	if err != nil {
		return nil, err
	}
	h.client, h.been = client, true
	go h.keep(client)
	return client, nil
}

// again dials a host that was lost until it is there or the time is up. What
// the host itself refuses it would refuse the next time too.
func (h *Host) again(ctx context.Context, client *ssh.Client, err error) (*ssh.Client, error) {
	end := time.After(h.options.Redial)
	var network net.Error
	for err != nil && errors.As(err, &network) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-end:
			return nil, fmt.Errorf("%w, for %s", err, h.options.Redial)
		case <-time.After(h.options.Pace):
		}
		client, err = h.dial(ctx)
	}
	return client, err
}

// drop forgets a connection, so that the next call makes another.
func (h *Host) drop(client *ssh.Client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client == client {
		h.client = nil
	}
	_ = client.Close()
}

// keep asks a connection for signs of life until it ends. Commands on a dead
// one would wait for ever otherwise.
func (h *Host) keep(client *ssh.Client) {
	ended := make(chan struct{})
	go func() {
		_ = client.Wait()
		close(ended)
	}()
	tick := time.NewTicker(h.options.Alive)
	defer tick.Stop()
	answered := make(chan struct{}, h.options.Misses+1)
	missed := 0
	for {
		select {
		case <-ended:
			h.drop(client)
			return
		case <-answered:
			missed = 0
		case <-tick.C:
			if missed++; missed > h.options.Misses {
				h.drop(client)
				return
			}
			if missed == 1 { // no second question before the first is answered
				go func() {
					if _, _, err := client.SendRequest("keepalive@openssh.com", true, nil); err == nil {
						answered <- struct{}{}
					}
				}()
			}
		}
	}
}

// dial makes a connection and logs in.
func (h *Host) dial(ctx context.Context) (*ssh.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	t := h.target
	fail := func(err error) error {
		if why := context.Cause(ctx); why != nil && errors.Is(why, context.Canceled) {
			return fmt.Errorf("connecting to host %s: %w", t.Name, why)
		}
		return fmt.Errorf("%w: %s (%s@%s): %w", ErrUnreachable, t.Name, t.User, t.Address, err)
	}
	proofs, err := t.Auth()
	if err != nil {
		return nil, fail(err)
	}
	conn, err := h.socket(ctx)
	if err != nil {
		return nil, fail(err)
	}
	// The handshake knows no context: its connection ends with it.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	over, channels, requests, err := ssh.NewClientConn(conn, t.Address, &ssh.ClientConfig{
		User: t.User, Auth: proofs, HostKeyCallback: t.HostKey, HostKeyAlgorithms: t.Algorithms,
	})
	if !stop() || err != nil {
		_ = conn.Close()
		if err == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("no login within %s: %w", dialTime, errors.Join(ctx.Err(), err))
		}
		return nil, fail(err)
	}
	return ssh.NewClient(over, channels, requests), nil
}

// socket connects to the host, by way of its bastion where there is one.
func (h *Host) socket(ctx context.Context) (net.Conn, error) {
	if h.target.Bastion == nil {
		return (&net.Dialer{}).DialContext(ctx, "tcp", h.target.Address)
	}
	bastion, err := h.target.Bastion.connection(ctx)
	if err != nil {
		return nil, fmt.Errorf("by way of the bastion: %w", err)
	}
	conn, err := bastion.DialContext(ctx, "tcp", h.target.Address)
	if err != nil {
		return nil, fmt.Errorf("by way of the bastion %s: %w", h.target.Bastion.Name(), err)
	}
	return conn, nil
}

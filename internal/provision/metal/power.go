package metal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/power"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/remote"
)

// power makes the machine of a host whose power can be switched. Nothing is
// sent yet.
func (p *provisioner) power(h inventory.Host) (*power.Machine, error) {
	b := h.BMC
	if b == nil {
		return nil, fmt.Errorf("the inventory names nothing that switches the power of host %s: add bmc: to it", h.Name)
	}
	c := &connector{dir: filepath.Dir(p.cfg.Inventory), sink: p.cfg.Sink}
	text, err := os.ReadFile(c.path(b.PasswordFile))
	if err != nil {
		return nil, fmt.Errorf("reading the password of the BMC of host %s: %w", h.Name, err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if err := p.cfg.Sink.Add("bmc-password", password); err != nil {
		return nil, fmt.Errorf("reading the password of the BMC of host %s from %s: %w", h.Name, b.PasswordFile, err)
	}
	return power.New(power.Target{
		Name: "host " + h.Name, Address: net.JoinHostPort(b.Address, strconv.Itoa(b.Port)), User: b.User, Password: password,
		Pin: b.Pin, Insecure: b.Insecure, System: b.System,
	}, p.switching)
}

// PowerActions are what Power can be asked for.
func PowerActions() []string { return []string{"status", "on", "off", "cycle", power.PXE, power.Disk} }

// Power does something with the power of a host of an inventory, and returns
// what is so afterwards: a state, or from where it boots once.
func Power(ctx context.Context, cfg provision.Config, host, action string) (string, error) {
	inv, err := open(cfg.Inventory)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(inv.Hosts, func(h inventory.Host) bool { return h.Name == host })
	if i < 0 {
		var names []string
		for _, h := range inv.Hosts {
			names = append(names, h.Name)
		}
		return "", fmt.Errorf("the inventory has no host %q: it has %s", host, strings.Join(names, ", "))
	}
	m, err := (&provisioner{cfg: cfg, inv: inv}).power(inv.Hosts[i])
	if err != nil {
		return "", err
	}
	switch action {
	case "status":
	case "on":
		err = m.On(ctx)
	case "off":
		err = m.Off(ctx)
	case "cycle":
		err = m.Cycle(ctx)
	case power.PXE, power.Disk:
		if err := m.BootOnce(ctx, action); err != nil {
			return "", &PowerError{err}
		}
		return "boots once from " + action, nil
	default:
		return "", fmt.Errorf("%q is nothing that can be done with power: say one of %s", action, strings.Join(PowerActions(), ", "))
	}
	state := ""
	if err == nil {
		state, err = m.State(ctx)
	}
	if err != nil {
		return "", &PowerError{err}
	}
	return state, nil
}

// PowerError is a controller that did not do what it was asked for, beside
// mistakes of who asked.
type PowerError struct{ Err error }

// Error is the controller's.
func (e *PowerError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *PowerError) Unwrap() error { return e.Err }

// bootTime is how long a machine may take until it answers by SSH: servers test
// themselves for minutes. bootPace is how often it is asked.
const (
	bootTime = 10 * time.Minute
	bootPace = 5 * time.Second
)

// silent tells a host from which nothing comes from one that answers and
// refuses: starting that one anew would help nobody.
func silent(err error) bool {
	var network net.Error
	return (errors.Is(err, remote.ErrUnreachable) || errors.Is(err, remote.ErrLost)) && (errors.As(err, &network) || errors.Is(err, io.EOF))
}

// recover starts those hosts of a lease anew that do not answer, and returns
// whether there were any. Which hosts they are stands on the others,
// and is known to who took them: only these, and of them only those whose owner
// has allowed it.
func (p *provisioner) recover(ctx context.Context, machines []*machine, answered []held, lease provision.Lease) (bool, error) {
	ours := map[string]bool{}
	if names, ok := p.taken.Load(lease.Name); ok {
		for _, name := range names.([]string) {
			ours[name] = true
		}
	}
	for _, h := range answered {
		if h.claim.Lease.Name == lease.Name {
			for _, name := range h.claim.Hosts {
				ours[name] = true
			}
		}
	}
	tried := make([]bool, len(machines))
	err := remote.Each(len(machines), func(i int) error {
		m := machines[i]
		if !ours[m.Name] || m.BMC == nil || !m.BMC.Recover {
			return nil
		}
		if _, err := m.remote.Root(remote.Guard{}).Exec(ctx, cluster.Command("true")); !silent(err) {
			return nil
		}
		tried[i] = true
		return p.revive(ctx, m)
	})
	return slices.Contains(tried, true), err
}

// revive starts a host anew and waits until it answers.
func (p *provisioner) revive(ctx context.Context, m *machine) error {
	switched, err := p.power(m.Host)
	if err == nil {
		p.cfg.Log("host %s does not answer: starting it anew by its BMC", m.Name)
		err = switched.Cycle(ctx)
	}
	if err != nil {
		return fmt.Errorf("host %s does not answer, and cannot be started anew: %w", m.Name, err)
	}
	within, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	pace := cmp.Or(p.switching.Pace, bootPace)
	for {
		_, err := m.remote.Root(remote.Guard{}).Exec(within, cluster.Command("true"))
		if !silent(err) {
			return err
		}
		select {
		case <-within.Done():
			return fmt.Errorf("host %s was started anew and does not answer within %s: %w", m.Name, bootTime, err)
		case <-time.After(pace):
		}
	}
}

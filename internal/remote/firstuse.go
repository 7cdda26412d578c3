package remote

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// FirstUse trusts the key of a machine that nobody has vouched for, once: it
// is added to the known_hosts file, and from then on no other is accepted from
// there. Whoever sits on the way at that moment is trusted too, so Trusted goes
// wherever the results go.
type FirstUse struct {
	mu       sync.Mutex // one writer of the file at a time
	trusted  []string
	remember func(file, line string) error // nil is appendLine
}

// Trusted has a line for each key that was trusted unseen.
func (f *FirstUse) Trusted() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.trusted...)
}

// Known is Known of a file that may lack the host, or not be there yet.
func (f *FirstUse) Known(file, address string) (ssh.HostKeyCallback, []string, error) {
	if err := f.exists(file); err != nil {
		return nil, nil, err
	}
	_, types, err := Known(file, address)
	if err != nil {
		return nil, nil, err
	}
	check := func(host string, addr net.Addr, got ssh.PublicKey) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		// Read again: an earlier connection may have added the host.
		known, err := knownhosts.New(file)
		if err != nil {
			return fmt.Errorf("reading known hosts: %w", err)
		}
		var why *knownhosts.KeyError
		if err := known(host, addr, got); !errors.As(err, &why) || len(why.Want) > 0 {
			return explainKey(err, file, host, got)
		}
		remember := f.remember
		if remember == nil {
			remember = appendLine
		}
		if err := remember(file, knownhosts.Line([]string{host}, got)); err != nil {
			return fmt.Errorf("%w: its key cannot be remembered: %w", ErrHostKey, err)
		}
		f.trusted = append(f.trusted, fmt.Sprintf("%s shows the key %s, which nobody had vouched for: it was trusted on first use, and added to %s", host, ssh.FingerprintSHA256(got), filepath.Base(file)))
		return nil
	}
	return check, types, nil
}

// exists makes an empty file where there is none.
func (f *FirstUse) exists(file string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	made, err := os.OpenFile(file, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return fmt.Errorf("making the file of known hosts: %w", err)
	}
	return made.Close()
}

// appendLine adds a line to a file, also where its last one has no end.
func appendLine(file, line string) (err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		line = "\n" + line
	}
	out, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := out.WriteString(line + "\n"); err != nil {
		return err
	}
	return out.Sync()
}

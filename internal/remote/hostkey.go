package remote

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// ErrHostKey marks a machine that is not the one that was meant, or that
// nobody has vouched for.
var ErrHostKey = errors.New("the host is not known")

// Pinned accepts one key, written as in authorized_keys.
func Pinned(line string) (ssh.HostKeyCallback, []string, error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the pinned host key: %w", err)
	}
	check := func(host string, _ net.Addr, got ssh.PublicKey) error {
		if string(got.Marshal()) == string(key.Marshal()) {
			return nil
		}
		return fmt.Errorf("%w: %s shows the key %s, and the inventory pins %s: it is another machine, or was installed anew; ask who owns it, then pin its key",
			ErrHostKey, host, ssh.FingerprintSHA256(got), ssh.FingerprintSHA256(key))
	}
	return check, algorithms(key.Type()), nil
}

// Known accepts the keys of a known_hosts file for a host at an address.
func Known(file, address string) (ssh.HostKeyCallback, []string, error) {
	known, err := knownhosts.New(file)
	if err != nil {
		return nil, nil, fmt.Errorf("reading known hosts: %w", err)
	}
	// Asked with a key that no host has, it answers with those that it knows.
	var types []string
	var why *knownhosts.KeyError
	if err := known(address, nowhere{}, noKey{}); errors.As(err, &why) {
		for _, k := range why.Want {
			types = append(types, algorithms(k.Key.Type())...)
		}
	}
	check := func(host string, addr net.Addr, got ssh.PublicKey) error {
		return explainKey(known(host, addr, got), file, host, got)
	}
	return check, types, nil
}

// explainKey says what is wrong with a key that a known_hosts file does not have.
func explainKey(err error, file, host string, got ssh.PublicKey) error {
	var why *knownhosts.KeyError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &why) && len(why.Want) == 0:
		return fmt.Errorf("%w: %s has no line for %s, which shows the key %s: compare it with the machine's own, then add it (ssh-keyscan), or pin it",
			ErrHostKey, file, host, ssh.FingerprintSHA256(got))
	case errors.As(err, &why):
		return fmt.Errorf("%w: %s shows the key %s, and %s has another: it is another machine, or was installed anew; ask who owns it",
			ErrHostKey, host, ssh.FingerprintSHA256(got), why.Want[0].String())
	}
	return fmt.Errorf("%w: %w", ErrHostKey, err)
}

// algorithms are the ways of signing with a key of a type. A host that has
// several keys must show the one that is known.
func algorithms(kind string) []string {
	if kind == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{kind}
}

// noKey is a key that no host has.
type noKey struct{}

// Type is none.
func (noKey) Type() string { return "none" }

// Marshal is empty.
func (noKey) Marshal() []byte { return nil }

// Verify is never right.
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

// nowhere is no address.
type nowhere struct{}

// Network is "tcp".
func (nowhere) Network() string { return "tcp" }

// String is an address that no line names.
func (nowhere) String() string { return "0.0.0.0:0" }

package power

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// pinForm is a SHA-256 in hexadecimal.
var pinForm = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

// What one request may take. Controllers are slow.
const (
	requestTime = 30 * time.Second
	dialTime    = 10 * time.Second
	mostAnswer  = 4 << 20 // bytes of one connection
)

// client is the way to the controller, and to nothing else: links and redirects
// in its answers are followed with the password in hand, so whatever name they have,
// the connection goes to the controller. end closes what is open.
func (m *Machine) client() (client *http.Client, end func(), err error) {
	host, _, err := net.SplitHostPort(m.target.Address)
	if err != nil {
		return nil, nil, fmt.Errorf("the address of its controller: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if m.target.Pin != "" {
		// Certificates of controllers are made by themselves, often without the name
		// by which they are reached. With a pin the library's own verification is
		// off (see with), and this one counts: it is stricter.
		config.VerifyConnection = m.pinned
	}
	transport := &http.Transport{
		TLSClientConfig: config, TLSHandshakeTimeout: dialTime, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, network, m.target.Address)
			if err != nil {
				return nil, err
			}
			return &boundedConn{Conn: conn, left: mostAnswer}, nil
		},
	}
	return &http.Client{Transport: transport, Timeout: requestTime}, transport.CloseIdleConnections, nil
}

// errPin is a controller that is not the one that was pinned.
var errPin = errors.New("its certificate is not the pinned one")

// pinned compares the certificate with the pin.
func (m *Machine) pinned(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return fmt.Errorf("%w: there is none", errPin)
	}
	sum := sha256.Sum256(state.PeerCertificates[0].Raw)
	if got := hex.EncodeToString(sum[:]); !strings.EqualFold(got, m.target.Pin) {
		return fmt.Errorf("%w: it has the SHA-256 %s: see whether it was renewed, and who answers there", errPin, got)
	}
	return nil
}

// boundedConn ends an answer that does not end.
type boundedConn struct {
	net.Conn
	left int
}

// Read reads on, up to the bound.
func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the controller's answer has more than %d bytes", mostAnswer)
	}
	if len(p) > c.left {
		p = p[:c.left]
	}
	n, err := c.Conn.Read(p)
	c.left -= n
	return n, err
}

// Package remote is the candidate where it is published: references to releases
// behind https, and the bytes of their archives. It verifies nothing: what it
// reads goes through release.Parse and release.Store, which do.
package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/release"
)

// DefaultBaseURL is where EKS Distro publishes releases.
const DefaultBaseURL = "https://distro.eks.amazonaws.com"

// Client reads releases from servers. Several goroutines may use it.
type Client struct {
	base   string
	http   *http.Client
	header http.Header   // of every request
	tries  int           // in a row, without progress, before it gives up
	pause  time.Duration // before the second try; each further one waits longer
	stall  time.Duration // in which a server must send leastProgress
}

// New returns a client for the releases below a base URL; "" is
// DefaultBaseURL. Proxies are those of the environment.
func New(base string) (*Client, error) {
	if base == "" {
		base = DefaultBaseURL
	}
	if _, err := release.CheckURL(base); err != nil {
		return nil, fmt.Errorf("base URL of releases: %w", err)
	}
	return &Client{
		base: strings.TrimRight(base, "/"), http: &http.Client{Transport: transport(), CheckRedirect: secure},
		tries: 5, pause: time.Second, stall: 30 * time.Second,
	}, nil
}

// With returns a client that sends its requests through a transport that knows
// how to authenticate, with further headers. It is as patient as this one.
func (c *Client) With(t http.RoundTripper, header http.Header) *Client {
	other := *c
	other.http, other.header = &http.Client{Transport: t, CheckRedirect: secure}, header
	return &other
}

// Transport is what the client reads through.
func (c *Client) Transport() http.RoundTripper { return c.http.Transport }

// transport reads bytes as they are: with compression on the way, a length
// or a range would be about something else than the file.
func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.ResponseHeaderTimeout = 30 * time.Second
	t.MaxResponseHeaderBytes = 64 << 10
	t.MaxIdleConnsPerHost = 16
	return t
}

// RedirectError says that a server sends us where we do not go.
type RedirectError struct{ To string }

// Error names the place.
func (e *RedirectError) Error() string {
	return "redirected to " + e.To + ": only https is followed, and few steps"
}

func secure(r *http.Request, via []*http.Request) error {
	if r.URL.Scheme != "https" || len(via) > 5 {
		return &RedirectError{To: r.URL.Scheme + "://" + r.URL.Host}
	}
	return nil
}

// URL returns where the manifest of a reference is: "" for one that is not
// published, and for a channel, whose latest release nobody knows yet.
func (c *Client) URL(ref release.Ref) string {
	switch ref.Kind {
	case release.URLRef:
		return ref.Value
	case release.NumberRef:
		at := strings.LastIndex(ref.Value, "-")
		return fmt.Sprintf("%s/kubernetes-%s/kubernetes-%s-eks-%s.yaml", c.base, ref.Value[:at], ref.Value[:at], ref.Value[at+1:])
	}
	return ""
}

// NotThereError says that a server has no such file. S3 answers 403 where who
// asks may not know.
type NotThereError struct {
	URL    string
	Status int // HTTP status
}

// Error names the address.
func (e *NotThereError) Error() string {
	return fmt.Sprintf("%s is not there (HTTP status %d)", e.URL, e.Status)
}

// MismatchError says that a server answered with another release than the one
// that was asked for.
type MismatchError struct{ URL, Want, Got string }

// Error names both.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s is release %s, not %s", e.URL, e.Got, e.Want)
}

// Pin returns a reference that means the same release tomorrow: of a channel
// its latest release by the channel's file, of others themselves.
func (c *Client) Pin(ctx context.Context, ref release.Ref, opts release.Options) (release.Ref, error) {
	if ref.Kind != release.ChannelRef {
		return ref, nil
	}
	channel, err := c.Channel(ctx, ref.Value, opts)
	if err != nil {
		return release.Ref{}, err
	}
	return release.Ref{Kind: release.NumberRef, Value: ref.Value + "-" + strconv.Itoa(channel.LatestRelease)}, nil
}

// Channel reads a channel's file.
func (c *Client) Channel(ctx context.Context, name string, opts release.Options) (*release.Channel, error) {
	address := c.base + "/releasechannels/" + name + ".yaml"
	data, err := c.Get(ctx, address, release.MaxManifest)
	if err != nil {
		return nil, fmt.Errorf("reading channel %s: %w", name, err)
	}
	opts.FromRemote = true
	channel, err := release.ParseChannel(address, data, opts)
	if err != nil {
		return nil, err
	}
	if channel.Name != name {
		return nil, &MismatchError{URL: address, Want: name, Got: channel.Name}
	}
	return channel, nil
}

// Load reads a release by any reference but one to be built: from a server, or
// from this machine.
func (c *Client) Load(ctx context.Context, ref release.Ref, opts release.Options) (*release.Release, error) {
	ref, err := c.Pin(ctx, ref, opts)
	if err != nil {
		return nil, err
	}
	address := c.URL(ref)
	if address == "" {
		return release.Load(ref, opts)
	}
	data, err := c.Get(ctx, address, release.MaxManifest)
	if err != nil {
		return nil, fmt.Errorf("reading manifest: %w", err)
	}
	opts.FromRemote = true
	rel, err := release.Parse(address, data, opts)
	if err != nil {
		return nil, err
	}
	if got := rel.Channel + "-" + strconv.Itoa(rel.Number); ref.Kind == release.NumberRef && got != ref.Value {
		return nil, &MismatchError{URL: address, Want: ref.Value, Got: got}
	}
	return rel, nil
}

// Get reads a whole small file. One byte more than the limit is read of a
// larger one, which makes readers of manifests refuse it.
func (c *Client) Get(ctx context.Context, address string, limit int64) ([]byte, error) {
	b, err := c.open(ctx, address, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = b.Close() }()
	return io.ReadAll(io.LimitReader(b, limit+1))
}

// Open is the release.Opener of archives behind http and https, and of local
// ones.
func (c *Client) Open(ctx context.Context, a release.Asset, from int64) (release.Source, error) {
	if !remoteURI.MatchString(a.URI) {
		return release.Open(ctx, a, from)
	}
	b, err := c.open(ctx, a.URI, from)
	if err != nil {
		return release.Source{}, err
	}
	return release.Source{Body: b, At: b.at, Size: b.size}, nil
}

var remoteURI = regexp.MustCompile(`(?i)^https?://`)

// Fault tells whether an error says that what was asked for is not there or not
// what it should be, and not that the network could not tell.
func Fault(err error) bool {
	var absent *NotThereError
	var other *MismatchError
	var problems release.Problems
	return errors.As(err, &absent) || errors.As(err, &other) || errors.As(err, &problems)
}

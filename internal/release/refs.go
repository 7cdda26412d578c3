package release

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// RefKind tells what a reference refers to.
type RefKind string

// The kinds of references.
const (
	PathRef      RefKind = "path"      // a manifest file
	DirectoryRef RefKind = "directory" // a directory that holds exactly one manifest
	SourceRef    RefKind = "source"    // an upstream version, to be built from source
	URLRef       RefKind = "url"       // a manifest behind https
	NumberRef    RefKind = "number"    // a published release by channel and number
	ChannelRef   RefKind = "channel"   // the latest published release of a channel
)

// Ref is a parsed reference to a release.
type Ref struct {
	Kind  RefKind
	Value string // the path or URL as given, the version ("v1.34.4"), or "1-34-21", or "1-34"
}

// Local tells whether Load reads what the reference refers to.
func (r Ref) Local() bool { return r.Kind == PathRef || r.Kind == DirectoryRef }

// String returns the reference in a form that ParseRef accepts.
func (r Ref) String() string {
	switch r.Kind {
	case SourceRef:
		return sourcePrefix + r.Value
	case NumberRef, ChannelRef:
		return distroPrefix + r.Value
	}
	return r.Value
}

const (
	sourcePrefix = "source:"
	distroPrefix = "eks-d:"
)

// refForms is what an error about a reference ends with.
const refForms = "accepted are the path of a manifest, a directory that holds one manifest, an https URL, " +
	"eks-d:CHANNEL-NUMBER, e.g. eks-d:1-34-21, eks-d:CHANNEL for its latest, e.g. eks-d:1-34, and source:VERSION, e.g. source:v1.34.4"

// sourceVersion is a released or pre-released version of Kubernetes.
var sourceVersion = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-(alpha|beta|rc)\.[0-9]+)?$`)

var (
	numberRef  = regexp.MustCompile(`^[0-9]{1,3}-[0-9]{1,3}-[1-9][0-9]{0,5}$`)
	channelRef = regexp.MustCompile(`^[0-9]{1,3}-[0-9]{1,3}$`)
)

// RefError says that a reference is none of the accepted forms. It is a fault
// of usage.
type RefError struct {
	Ref  string
	Text string // what is wrong with it
	Err  error  // the cause, where there is one
}

// Error names the reference, what is wrong and the accepted forms.
func (e *RefError) Error() string {
	return fmt.Sprintf("reading reference %s: %s; %s", quote(e.Ref), e.Text, refForms)
}

// Unwrap returns the cause.
func (e *RefError) Unwrap() error { return e.Err }

// ParseRef reads a reference. It looks whether a path exists and what is
// there: a word that is no path is an unknown reference, not a missing file.
func ParseRef(text string) (Ref, error) {
	if version, ok := strings.CutPrefix(text, sourcePrefix); ok {
		if !sourceVersion.MatchString(version) || !semver.IsValid(version) {
			return Ref{}, &RefError{Ref: text, Text: "it has no version like v1.34.4"}
		}
		return Ref{Kind: SourceRef, Value: version}, nil
	}
	if text == "" {
		return Ref{}, &RefError{Text: "it is empty"}
	}
	if address := strings.ToLower(text); strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://") {
		if _, err := CheckURL(text); err != nil {
			return Ref{}, &RefError{Ref: withoutSecrets(text), Text: err.Error(), Err: err}
		}
		return Ref{Kind: URLRef, Value: text}, nil
	}
	info, err := os.Stat(text)
	switch {
	case err == nil && info.IsDir():
		return Ref{Kind: DirectoryRef, Value: text}, nil
	case err == nil:
		if err := regular(info); err != nil {
			return Ref{}, &RefError{Ref: text, Text: "it " + err.Error(), Err: err}
		}
		return Ref{Kind: PathRef, Value: text}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return Ref{}, &RefError{Ref: text, Text: err.Error(), Err: err}
	case strings.HasPrefix(text, distroPrefix):
		return parseDistro(text)
	case hasScheme(text) || !strings.ContainsAny(text, `/\.`):
		return Ref{}, &RefError{Ref: text, Text: "it is unknown", Err: err}
	}
	return Ref{}, &RefError{Ref: text, Text: "there is no such file or directory", Err: err}
}

// parseDistro reads a reference to a published release.
func parseDistro(text string) (Ref, error) {
	switch value := strings.TrimPrefix(text, distroPrefix); {
	case numberRef.MatchString(value):
		return Ref{Kind: NumberRef, Value: value}, nil
	case channelRef.MatchString(value):
		return Ref{Kind: ChannelRef, Value: value}, nil
	}
	return Ref{}, &RefError{Ref: text, Text: "it has no channel and number like 1-34-21"}
}

// CheckURL reads the address of a manifest or of a place where releases are.
// It is where trust begins, so only https will do, or a server on this machine.
// Addresses are recorded: one with a password, a query or a fragment is refused.
func CheckURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL")
	case u.Hostname() == "":
		return nil, errors.New("the URL has no host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("a URL with a user, a query or a fragment would be recorded with its secrets: download the manifest and give its path")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("it is not https, and not on this machine")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// withoutSecrets is a URL for messages.
func withoutSecrets(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "https://…"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// Load reads the release that a path or a directory refers to.
func Load(ref Ref, opts Options) (*Release, error) {
	path := ref.Value
	switch ref.Kind {
	case PathRef:
	case DirectoryRef:
		found, err := manifestIn(ref.Value)
		if err != nil {
			return nil, err
		}
		path = found
	default:
		return nil, &RefError{Ref: ref.String(), Text: "it has no manifest on this machine before it is built or fetched"}
	}
	data, err := readManifest(path)
	if err != nil {
		return nil, fmt.Errorf("reading manifest %s: %w", path, err)
	}
	return Parse(path, data, opts)
}

// readManifest reads no more than Parse accepts, and one byte that makes it
// refuse: a file of any size costs the same memory.
func readManifest(path string) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxManifest+1))
}

// manifestLine finds a manifest by its kind. A file is looked at as text, since
// a broken manifest is to be reported as broken, not as absent.
var manifestLine = regexp.MustCompile(`(?m)^(?:kind|[ \t{]*"kind")\s*:\s*["']?Release["']?[ \t,]*(?:#.*)?\r?$`)

// manifestIn returns the path of the one release manifest in a directory.
func manifestIn(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("reading directory %s: %w", dir, err)
	}
	var found, other []string
	for _, e := range entries {
		if !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(e.Name())) || e.IsDir() {
			continue
		}
		data, err := readManifest(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", fmt.Errorf("reading directory %s: %w", dir, err)
		}
		if manifestLine.Match(data) {
			found = append(found, e.Name())
		} else {
			other = append(other, e.Name())
		}
	}
	switch {
	case len(found) == 1:
		return filepath.Join(dir, found[0]), nil
	case len(found) > 1:
		return "", &RefError{Ref: dir, Text: fmt.Sprintf("it holds %d manifests, name one: %s", len(found), strings.Join(found, ", "))}
	case len(other) > 0:
		return "", &RefError{Ref: dir, Text: "it holds no manifest of kind Release, only " + strings.Join(other, ", ")}
	}
	return "", &RefError{Ref: dir, Text: "it holds no .yaml, .yml or .json file"}
}

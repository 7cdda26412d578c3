package release

import (
	"bufio"
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// Checksum is one line of a file of checksums, as sha256sum writes it.
type Checksum struct {
	Digest string // lower-case hex
	Path   string // as it stands in the file
}

// MaxChecksums bounds the size of a file of checksums: the largest published
// lists have some ten KB.
const MaxChecksums = 1 << 20

var checksumLine = regexp.MustCompile(`^([0-9a-f]{64}|[0-9a-f]{128}) [ *](.+)$`)

// ParseChecksums reads a file of checksums. name is for messages.
func ParseChecksums(name string, data []byte) ([]Checksum, error) {
	if len(data) > MaxChecksums {
		return nil, fmt.Errorf("reading checksums %s: more than %d bytes", name, MaxChecksums)
	}
	var all []Checksum
	in := bufio.NewScanner(bytes.NewReader(data))
	in.Buffer(nil, MaxChecksums+1)
	for line := 1; in.Scan(); line++ {
		text := strings.TrimRight(in.Text(), "\r")
		if text == "" {
			continue
		}
		m := checksumLine.FindStringSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("reading checksums %s:%d: want a digest, two spaces and a path, not %s", name, line, quote(text))
		}
		all = append(all, Checksum{m[1], m[2]})
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("reading checksums %s: %w", name, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("reading checksums %s: it is empty", name)
	}
	return all, nil
}

// Contradicts returns how a checksum differs from what the manifest says of an
// asset, "" where it agrees or the manifest has no digest of its kind.
func (a Asset) Contradicts(c Checksum) string {
	want, kind := a.SHA256, "sha256"
	if len(c.Digest) == 128 {
		want, kind = a.SHA512, "sha512"
	}
	if want == "" || want == c.Digest {
		return ""
	}
	return fmt.Sprintf("%s:%s, the manifest says %s:%s", kind, c.Digest, kind, want)
}

// Names tells whether a checksum in a list is that of the asset: where the one
// path ends with the other, element by element.
func (c Checksum) Names(uri string) bool {
	path := strings.TrimPrefix(strings.TrimPrefix(c.Path, "./"), "/")
	return strings.HasSuffix("/"+uri, "/"+path)
}

package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// JUnitFile names a cell's JUnit file, relative to the run's directory. The
// slug holds no underscore: TestGrid reads the name as
// junit_CONTEXT_THREAD.xml and splits it there.
func JUnitFile(cellID string) string { return "junit/junit_" + slug(cellID) + "_01.xml" }

// slug makes a file name, XML id or anchor out of a name: [a-z0-9.-], at most
// 110 bytes, no leading dot. A name that had to be changed carries a hash behind
// two dashes, and one that looks as if it did is changed too: so different
// names never share a file, on no file system.
func slug(name string) string {
	const most = 100
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		ok := r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-'
		switch {
		case b.Len() >= most:
		case ok:
			b.WriteRune(r)
		default:
			b.WriteByte('-')
		}
	}
	s := strings.Trim(b.String(), ".-")
	if s == name && s != "" && !hashed.MatchString(s) {
		return s
	}
	sum := sha256.Sum256([]byte(name))
	return cmp.Or(s, "x") + "--" + hex.EncodeToString(sum[:4])
}

var hashed = regexp.MustCompile(`--[0-9a-f]{8}$`)

package stabletar

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// entry is what a tar says of a file.
type entry struct {
	kind     byte
	mode     int64
	uid, gid int
	link     string
	content  string
}

// unpack reads a stream back, in its order, and refuses whatever a second run
// on another machine would write otherwise.
func unpack(t *testing.T, stream []byte) (names []string, entries map[string]entry) {
	t.Helper()
	if !bytes.HasSuffix(stream, make([]byte, 1024)) {
		t.Error("the stream has no end mark")
	}
	entries = map[string]entry{}
	r := tar.NewReader(bytes.NewReader(stream))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, entries
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(time.Unix(0, 0)) || !h.AccessTime.IsZero() || !h.ChangeTime.IsZero() {
			t.Errorf("%q carries times: %v %v %v", h.Name, h.ModTime, h.AccessTime, h.ChangeTime)
		}
		if h.Uname != "" || h.Gname != "" || h.Devmajor != 0 || h.Devminor != 0 {
			t.Errorf("%q carries %q %q %d %d", h.Name, h.Uname, h.Gname, h.Devmajor, h.Devminor)
		}
		for key := range h.PAXRecords {
			if key != "path" && key != "linkpath" && key != "size" && key != "uid" && key != "gid" {
				t.Errorf("%q carries the record %s", h.Name, key)
			}
		}
		names = append(names, h.Name)
		entries[h.Name] = entry{h.Typeflag, h.Mode, h.Uid, h.Gid, h.Linkname, string(content)}
	}
}

func pack(t *testing.T, root string, drop func(string) bool) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Pack(&out, root, drop); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// file writes a file with its parents; must is for all the rest.
func file(t *testing.T, root, name, content string, mode fs.FileMode) {
	t.Helper()
	at := filepath.Join(root, name)
	must(t, os.MkdirAll(filepath.Dir(at), 0o755))
	must(t, os.WriteFile(at, []byte(content), 0o600))
	must(t, os.Chmod(at, mode))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// oddNames are file names that exist or could: of any bytes but NUL and slash.
var oddNames = []string{
	" ", "  two spaces  ", "-rf", "new\nline", "tab\t", "quote'\"`$(x)", "back\\slash", "ünïcödé", "日本語", "\xff\xfe not utf-8",
	"...", ".hidden", "~", "*", "%s%d", strings.Repeat("n", 255), "a:b", "PaxHeaders.0", "trailing.",
}

func TestPackOddNames(t *testing.T) {
	root := t.TempDir()
	for _, name := range oddNames {
		file(t, root, name, "content of "+name, 0o644)
		file(t, root, filepath.Join("below", name, "leaf"), name, 0o600)
	}
	_, got := unpack(t, pack(t, root, nil))
	for _, name := range oddNames {
		if e := got[name]; e.content != "content of "+name || e.kind != tar.TypeReg {
			t.Errorf("%q: %+v", name, e)
		}
		if e := got["below/"+name+"/leaf"]; e.content != name {
			t.Errorf("below %q: %+v", name, e)
		}
	}
	if want := 3*len(oddNames) + 1; len(got) != want {
		t.Errorf("%d entries, want %d", len(got), want)
	}
}

// Paths, link targets and owners beyond what the old formats hold.
func TestPackLong(t *testing.T) {
	root := t.TempDir()
	deep := strings.Repeat(strings.Repeat("d", 200)+"/", 12) + "leaf"
	file(t, root, deep, "deep down", 0o644)
	target := "/" + strings.Repeat("t", 300)
	must(t, os.Symlink(target, filepath.Join(root, "far")))
	must(t, os.Link(filepath.Join(root, deep), filepath.Join(root, "z-twin")))
	_, got := unpack(t, pack(t, root, nil))
	if got[deep].content != "deep down" || got["far"].link != target {
		t.Errorf("leaf %+v, link %+v", got[deep], got["far"])
	}
	if e := got["z-twin"]; e.kind != tar.TypeLink || e.link != deep {
		t.Errorf("twin: %+v", e)
	}
}

func TestPackLinks(t *testing.T) {
	root := t.TempDir()
	file(t, root, "b/first", "shared", 0o755)
	must(t, os.Link(filepath.Join(root, "b/first"), filepath.Join(root, "b/second")))
	must(t, os.Link(filepath.Join(root, "b/first"), filepath.Join(root, "a-before")))
	for name, target := range map[string]string{
		"relative": "b/first", "absolute": "/etc/passwd", "up": "../../outside", "dangling": "nowhere", "self": "self", "to-dir": "b", "odd": "new\nline \xff",
	} {
		must(t, os.Symlink(target, filepath.Join(root, name)))
	}
	names, got := unpack(t, pack(t, root, nil))
	for name, want := range map[string]entry{
		"a-before": {tar.TypeReg, 0o755, 0, 0, "", "shared"},
		"b/first":  {tar.TypeLink, 0o755, 0, 0, "a-before", ""},
		"b/second": {tar.TypeLink, 0o755, 0, 0, "a-before", ""},
		"relative": {tar.TypeSymlink, 0o777, 0, 0, "b/first", ""},
		"absolute": {tar.TypeSymlink, 0o777, 0, 0, "/etc/passwd", ""},
		"up":       {tar.TypeSymlink, 0o777, 0, 0, "../../outside", ""},
		"dangling": {tar.TypeSymlink, 0o777, 0, 0, "nowhere", ""},
		"self":     {tar.TypeSymlink, 0o777, 0, 0, "self", ""},
		"to-dir":   {tar.TypeSymlink, 0o777, 0, 0, "b", ""}, // not followed
		"odd":      {tar.TypeSymlink, 0o777, 0, 0, "new\nline \xff", ""},
	} {
		want.uid, want.gid = os.Getuid(), os.Getgid()
		if got[name] != want {
			t.Errorf("%s: got %+v, want %+v", name, got[name], want)
		}
	}
	if len(names) != 11 || slices.Contains(names, "to-dir/first") {
		t.Errorf("entries: %q", names)
	}
}

// The first link is dropped: the content must then go with the second.
func TestPackLinkOfADroppedFile(t *testing.T) {
	root := t.TempDir()
	file(t, root, "a", "shared", 0o644)
	must(t, os.Link(filepath.Join(root, "a"), filepath.Join(root, "b")))
	_, got := unpack(t, pack(t, root, func(name string) bool { return name == "a" }))
	if e := got["b"]; len(got) != 1 || e.kind != tar.TypeReg || e.content != "shared" {
		t.Errorf("got %+v", got)
	}
}

// mounted is a file as a tree that spans mounts shows it.
type mounted struct {
	fs.FileInfo
	stat syscall.Stat_t
}

func (m mounted) Sys() any { return &m.stat }

// Files of two mounts can have the same number without being links.
func TestHeaderAcrossMounts(t *testing.T) {
	root := t.TempDir()
	file(t, root, "x", "x", 0o644)
	info, err := os.Stat(filepath.Join(root, "x"))
	must(t, err)
	p := packer{root: root, inodes: map[inode]string{}}
	for i, want := range []byte{tar.TypeReg, tar.TypeReg, tar.TypeLink} {
		stat := syscall.Stat_t{Ino: 7, Nlink: 2, Dev: uint64(i % 2)}
		h, err := p.header(filepath.Join(root, "x"), fmt.Sprintf("name-%d", i), mounted{info, stat})
		must(t, err)
		if h.Typeflag != want {
			t.Errorf("file %d on mount %d: type %c, want %c", i, i%2, h.Typeflag, want)
		}
	}
}

func TestPackModes(t *testing.T) {
	root := t.TempDir()
	for mode, want := range map[fs.FileMode]int64{
		0: 0, 0o400: 0o400, 0o644: 0o644, 0o777: 0o777, 0o755 | fs.ModeSetuid: 0o4755, 0o755 | fs.ModeSetgid: 0o2755,
		0o750 | fs.ModeSetuid | fs.ModeSetgid: 0o6750, 0o644 | fs.ModeSticky: 0o1644,
	} {
		name := fmt.Sprintf("%04o", want)
		file(t, root, name, "x", mode)
		dir := filepath.Join(root, "dir-"+name)
		must(t, os.Mkdir(dir, 0o700))
		must(t, os.Chmod(dir, mode|0o500))
	}
	_, got := unpack(t, pack(t, root, nil))
	for name, e := range got {
		if e.kind == tar.TypeDir {
			if want := strings.TrimSuffix(strings.TrimPrefix(name, "dir-"), "/"); fmt.Sprintf("%04o", e.mode&^0o500) != fmt.Sprintf("%04o", octal(t, want)&^0o500) {
				t.Errorf("%s: mode %04o", name, e.mode)
			}
		} else if name != fmt.Sprintf("%04o", e.mode) {
			t.Errorf("%s: mode %04o", name, e.mode)
		}
	}
	if len(got) != 16 {
		t.Errorf("%d entries", len(got))
	}
}

func octal(t *testing.T, text string) int64 {
	t.Helper()
	var n int64
	if _, err := fmt.Sscanf(text, "%o", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Owners other than the caller need root, which the builds of root filesystems have.
func TestPackOwners(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to give files away")
	}
	root := t.TempDir()
	owners := map[string][2]int{"plain": {1000, 1001}, "nobody": {65534, 65534}, "large": {1 << 30, 1<<30 + 1}, "root": {0, 0}}
	for name, owner := range owners {
		file(t, root, name, name, 0o644)
		must(t, os.Chown(filepath.Join(root, name), owner[0], owner[1]))
	}
	must(t, os.Symlink("plain", filepath.Join(root, "link")))
	must(t, os.Lchown(filepath.Join(root, "link"), 7, 8))
	owners["link"] = [2]int{7, 8}
	_, got := unpack(t, pack(t, root, nil))
	for name, owner := range owners {
		if e := got[name]; e.uid != owner[0] || e.gid != owner[1] {
			t.Errorf("%s belongs to %d:%d, want %v", name, e.uid, e.gid, owner)
		}
	}
}

// What is no content is left out, and what is beside it stays.
func TestPackLeavesOutSpecialFiles(t *testing.T) {
	root := t.TempDir()
	file(t, root, "run/file", "x", 0o644)
	must(t, syscall.Mkfifo(filepath.Join(root, "run/pipe"), 0o600))
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(root, "run/socket"), Net: "unix"})
	must(t, err)
	defer socket.Close()
	if os.Getuid() == 0 {
		for name, kind := range map[string]uint32{"char": syscall.S_IFCHR, "block": syscall.S_IFBLK} {
			if err := syscall.Mknod(filepath.Join(root, "run", name), kind|0o600, 0x0103); err != nil {
				t.Logf("no device %s here: %v", name, err)
			}
		}
	}
	names, _ := unpack(t, pack(t, root, nil))
	if !slices.Equal(names, []string{"run/", "run/file"}) {
		t.Errorf("entries: %q", names)
	}
}

func TestPackDrops(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"keep/a", "keep/b.log", "cache/x/y", "cache-2/z", "b.log"} {
		file(t, root, name, "x", 0o644)
	}
	var asked []string
	names, _ := unpack(t, pack(t, root, func(name string) bool {
		asked = append(asked, name)
		return name == "cache" || strings.HasSuffix(name, ".log")
	}))
	if !slices.Equal(names, []string{"cache-2/", "cache-2/z", "keep/", "keep/a"}) {
		t.Errorf("entries: %q", names)
	}
	if slices.Contains(asked, ".") || slices.Contains(asked, "cache/x") {
		t.Errorf("asked about %q", asked)
	}
	if names, _ := unpack(t, pack(t, root, func(string) bool { return true })); len(names) != 0 {
		t.Errorf("all dropped, left %q", names)
	}
}

// The same tree gives the same bytes: elsewhere, made in another order, at
// another time.
func TestPackIsStable(t *testing.T) {
	names := []string{"b", "a/z", "a/y/x", "a-b", "a.b", "A", "zz"}
	var streams [][]byte
	for round := range 2 {
		root := t.TempDir()
		for i := range names {
			name := names[i]
			if round == 1 {
				name = names[len(names)-1-i]
			}
			file(t, root, name, strings.Repeat(name, 10_000), 0o640)
		}
		must(t, os.Link(filepath.Join(root, "b"), filepath.Join(root, "c")))
		must(t, os.Symlink("a", filepath.Join(root, "l")))
		then := time.Now().Add(-time.Duration(round) * 1000 * time.Hour)
		must(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, _ error) error {
			if filepath.Base(path) == "l" {
				return nil
			}
			return os.Chtimes(path, then, then.Add(time.Second/3))
		}))
		streams = append(streams, pack(t, root, nil))
	}
	if !bytes.Equal(streams[0], streams[1]) {
		t.Error("the same tree gave other bytes")
	}
	order, _ := unpack(t, streams[0])
	if want := []string{"A", "a/", "a/y/", "a/y/x", "a/z", "a-b", "a.b", "b", "c", "l", "zz"}; !slices.Equal(order, want) {
		t.Errorf("order %q, want %q", order, want)
	}
}

// stopped is a writer that takes so many bytes.
type stopped struct{ left int }

var errFull = errors.New("disk full")

func (s *stopped) Write(p []byte) (int, error) {
	if s.left -= len(p); s.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// A stream that is cut short is an error wherever it is cut.
func TestPackErrors(t *testing.T) {
	root := t.TempDir()
	file(t, root, "a", strings.Repeat("x", 3000), 0o644)
	whole := len(pack(t, root, nil))
	for left := 0; left < whole; left += 512 {
		if err := Pack(&stopped{left: left}, root, nil); !errors.Is(err, errFull) {
			t.Errorf("room for %d of %d bytes: %v", left, whole, err)
		}
	}
	if err := Pack(&stopped{left: whole}, root, nil); err != nil {
		t.Errorf("room for all: %v", err)
	}
	if err := Pack(io.Discard, filepath.Join(root, "absent"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent root: %v", err)
	}
}

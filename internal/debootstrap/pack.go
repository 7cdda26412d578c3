package debootstrap

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/qualify-dev/qualify/internal/stabletar"
)

// unstable are the paths that differ between two installations of the same
// packages, or that nobody needs on a node: caches, logs, backups, manuals.
// A pattern ending in "/*" drops what is below the directory and keeps it.
var unstable = []string{
	"debootstrap", "dev/*", "proc/*", "sys/*", "run/*", "tmp/*", "boot/*",
	"var/cache/apt/*", "var/cache/debconf/*-old", "var/cache/ldconfig/*", "var/lib/apt/lists/*",
	"var/lib/dpkg/*-old", "var/lib/systemd/catalog/database", "var/log/*", "var/tmp/*",
	"etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-",
	"etc/machine-id", "etc/hostname", "etc/resolv.conf", "etc/ssh/ssh_host_*", "etc/.pwd.lock", "etc/apt/apt.conf.d/*proxy*",
	"usr/share/man/*", "usr/share/info/*", "usr/share/locale/*", "usr/share/lintian/*", "var/lib/dbus/machine-id",
}

// documentation keeps the licences of what is installed and nothing else.
var documentation = regexp.MustCompile(`^usr/share/doc/[^/]+/`)

func dropped(name string) bool {
	if documentation.MatchString(name) && path.Base(name) != "copyright" {
		return true
	}
	for _, pattern := range unstable {
		if below, ok := strings.CutSuffix(pattern, "/*"); ok {
			if strings.HasPrefix(name, below+"/") {
				return true
			}
			continue
		}
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// neutralise removes the dates that installing leaves inside files.
func neutralise(root string) error {
	shadow := filepath.Join(root, "etc", "shadow")
	data, err := os.ReadFile(shadow)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the password file: %w", err)
	}
	// The third field is the day of the last change: the day of installation.
	lastChange := regexp.MustCompile(`(?m)^([^:]*:[^:]*:)\d+:`)
	return os.WriteFile(shadow, lastChange.ReplaceAll(data, []byte("${1}1:")), 0o640)
}

func packFile(root, file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := stabletar.Pack(w, root, dropped); err != nil {
		return err
	}
	return w.Flush()
}

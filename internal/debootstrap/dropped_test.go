package debootstrap

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDropped(t *testing.T) {
	tests := map[string]bool{
		// What two installations of the same packages differ in.
		"etc/machine-id":                     true,
		"etc/hostname":                       true,
		"etc/resolv.conf":                    true,
		"etc/passwd-":                        true,
		"etc/shadow-":                        true,
		"etc/.pwd.lock":                      true,
		"etc/ssh/ssh_host_ed25519_key":       true,
		"etc/ssh/ssh_host_rsa_key.pub":       true,
		"etc/apt/apt.conf.d/01proxy":         true,
		"debootstrap":                        true,
		"var/log/dpkg.log":                   true,
		"var/log/apt/history.log":            true,
		"var/cache/apt/pkgcache.bin":         true,
		"var/cache/apt/archives/x.deb":       true,
		"var/cache/ldconfig/aux-cache":       true,
		"var/cache/debconf/config.dat-old":   true,
		"var/lib/apt/lists/x_Packages":       true,
		"var/lib/dpkg/status-old":            true,
		"var/lib/dbus/machine-id":            true,
		"var/lib/systemd/catalog/database":   true,
		"tmp/x":                              true,
		"var/tmp/x":                          true,
		"run/lock":                           true,
		"proc/1":                             true,
		"sys/kernel":                         true,
		"dev/null":                           true,
		"boot/grub/grub.cfg":                 true,
		"usr/share/man/man1/ls.1.gz":         true,
		"usr/share/info/x":                   true,
		"usr/share/locale/de/LC_MESSAGES/x":  true,
		"usr/share/doc/bash/changelog.gz":    true,
		"usr/share/doc/bash/examples/script": true,
		// What a node needs, and folders of what is dropped.
		"etc":                              false,
		"etc/passwd":                       false,
		"etc/shadow":                       false,
		"etc/hosts":                        false,
		"etc/hostname.d/x":                 false,
		"etc/ssh/sshd_config":              false,
		"etc/apt/apt.conf.d/01autoremove":  false,
		"usr/bin/debootstrap":              false,
		"usr/share/doc":                    false,
		"usr/share/doc/bash":               false,
		"usr/share/doc/bash/copyright":     false,
		"usr/share/manual":                 false,
		"var/log":                          false,
		"var/cache/apt":                    false,
		"var/cache/debconf/config.dat":     false,
		"var/lib/dpkg/status":              false,
		"var/lib/dpkg/info/bash.list":      false,
		"var/lib/systemd/catalog":          false,
		"tmp":                              false,
		"run":                              false,
		"proc":                             false,
		"dev":                              false,
		"development/x":                    false,
		"opt/proc/x":                       false,
		"usr/lib/x86_64-linux-gnu/libc.so": false,
	}
	for name, want := range tests {
		if got := dropped(name); got != want {
			t.Errorf("%s: dropped %v, want %v", name, got, want)
		}
	}
}

func TestNeutraliseChangesTheDayOfThePasswordAndNothingElse(t *testing.T) {
	root := t.TempDir()
	must(t, neutralise(root)) // a system without passwords
	must(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	file := filepath.Join(root, "etc", "shadow")
	must(t, os.WriteFile(file, []byte("root:*:20001:0:99999:7:::\nsync:!:20002:0:99999:7:::\nlocked:!:::::::\n"), 0o600))
	must(t, neutralise(root))
	data, err := os.ReadFile(file)
	must(t, err)
	if want := "root:*:1:0:99999:7:::\nsync:!:1:0:99999:7:::\nlocked:!:::::::\n"; string(data) != want {
		t.Errorf("got\n%swant\n%s", data, want)
	}
	must(t, os.Remove(file))
	must(t, os.Mkdir(file, 0o755))
	if err := neutralise(root); err == nil {
		t.Error("a password file that cannot be read is no error")
	}
}

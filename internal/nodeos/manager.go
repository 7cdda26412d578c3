package nodeos

// Manager are a package manager's commands. "$@" are packages.
type Manager struct {
	Name    string
	List    string // prints a line for each installed package: its name first, maybe after "ii "
	Missing string // prints those of "$@" that are not installed
	// Plan prints all that installing "$@" would install. It fails where that
	// cannot be had, or where it would replace a package that is installed: that
	// could not be undone.
	Plan    string
	Refresh string // fetches what there is to install
	Install string
	Remove  string // with what they have left in /etc
	// Keys begins the names of what it lists beside packages: the keys that it
	// takes in on the way. They go with the packages. "" where it has none.
	Keys string
}

// upgrades ends a plan that would replace what is installed, which is in
// $replaced.
const upgrades = `{ echo "installing what a node needs would replace installed packages ($replaced), which cannot be undone: bring the machine up to date first" >&2; exit 1; }`

// apt is Debian's, and that of its children. Nothing that it installs is
// started by it, and it asks nothing.
func apt() Manager {
	const quiet = "export DEBIAN_FRONTEND=noninteractive LC_ALL=C\n"
	// A network that is away for half a minute is waited for: apt of Debian 12
	// pauses for 1, 2, 4, 8, 16 and 30 s, an older one tries again at once.
	const patient = " -o Acquire::Retries=6"
	return Manager{
		Name:    "apt",
		List:    "dpkg-query -W -f '${db:Status-Abbrev}${Package} ${Version}\\n'",
		Missing: `for p; do case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) in installed) ;; *) echo "$p";; esac; done`,
		Plan: quiet + `plan=$(apt-get install -s -q --no-install-recommends "$@") || exit 1
replaced=$(echo "$plan" | sed -n 's/^Inst \([^ ]*\) \[.*/\1/p' | tr '\n' ' ')
[ -z "$replaced" ] || ` + upgrades + `
echo "$plan" | sed -n 's/^Inst \([^ ]*\) .*/\1/p'`,
		Refresh: quiet + `apt-get update -q` + patient,
		Install: quiet + `apt-get install -q -y --no-install-recommends` + patient + ` -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=60 "$@" </dev/null`,
		// What was cut off in the middle has to be brought to an end first.
		Remove: quiet + `dpkg --configure -a </dev/null || :; apt-get purge -q -y -o DPkg::Lock::Timeout=60 "$@" </dev/null`,
	}
}

// rpmList and rpmMissing ask the database of packages, whoever fills it. A key
// is told by its whole name: all of them have the same one.
const (
	rpmList    = `rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE} %{ARCH}\n' | sed 's/^gpg-pubkey \([^ ]*\) .*/gpg-pubkey-\1/'`
	rpmMissing = `for p; do rpm -q --whatprovides "$p" >/dev/null 2>&1 || echo "$p"; done`
	// It removes what it is told and nothing else, and refuses where somebody has
	// installed meanwhile what needs it; the managers above it would take that too.
	rpmRemove = `rpm -e "$@" </dev/null`
)

// dnf is that of Fedora's children: one command under two names. It has no
// machine-readable plan without plugins, so its table is read: names
// stand behind one space, below a line that says what happens to them.
func dnf(command string) Manager {
	return Manager{
		Name: command, List: rpmList, Missing: rpmMissing, Keys: "gpg-pubkey-",
		Plan: `export LC_ALL=C
plan=$(` + command + ` install --assumeno --setopt=install_weak_deps=0 "$@" 2>&1 </dev/null || :)
of() { echo "$plan" | awk -v like="$1" '/^[^ ]/ || /^$/ { on = ($0 ~ like) } on && /^ [^ ]/ { print $1 }'; }
replaced=$( { of '^(Upgrading|Updating|Downgrading|Removing)( [a-z ]*)?:$'; echo "$plan" | sed -n 's/^ *replacing  *\([^ ]*\).*/\1/p'; } | tr '\n' ' ')
[ -z "$replaced" ] || ` + upgrades + `
new=$(of '^Installing( [a-z ]*)?:$')
if [ -z "$new" ]; then echo "$plan" >&2; exit 1; fi
echo "$new"`,
		Refresh: command + ` makecache -q`,
		Install: command + ` install -q -y --setopt=install_weak_deps=0 "$@" </dev/null`,
		Remove:  rpmRemove,
	}
}

// zypper is SUSE's. Its plan is read as XML: one element a line.
func zypper() Manager {
	const command = "ZYPP_LOCK_TIMEOUT=60 zypper --non-interactive "
	return Manager{
		Name: "zypper", List: rpmList, Missing: rpmMissing, Keys: "gpg-pubkey-",
		Plan: `export LC_ALL=C
plan=$(` + command + `--xmlout install --dry-run --no-recommends "$@" </dev/null) || { echo "$plan" >&2; exit 1; }
of() { echo "$plan" | awk -v like="$1" '/<to-/ { on = ($0 ~ like) } /<\/to-/ { on = 0 } on && /<solvable / { print }' | sed -n 's/.* name="\([^"]*\)".*/\1/p'; }
replaced=$(of '<to-(upgrade|downgrade|remove|change-arch)>' | tr '\n' ' ')
[ -z "$replaced" ] || ` + upgrades + `
of '<to-install>'`,
		Refresh: command + `refresh`,
		Install: command + `install --no-recommends "$@" </dev/null`,
		Remove:  rpmRemove,
	}
}

// noManager is that of a system whose programs come with its image: what a node
// needs is there, or cannot be had. Its packages are programs.
func noManager() Manager {
	return Manager{
		Name: "none", List: ":",
		Missing: `for p; do command -v "$p" >/dev/null || echo "$p"; done`,
		Plan:    `echo "the system lacks $*, and nothing can be installed on it: use a newer image" >&2; exit 1`,
		Refresh: ":", Install: ":", Remove: ":",
	}
}

# Makes a machine with real package managers of RPM systems, which Debian has too,
# and a repository of empty packages: one that another needs, one of which there
# is a newer version, one that needs that version.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null
apt-get install -q -y --no-install-recommends createrepo-c dnf gawk rpm zypper >/dev/null
echo '%_dbpath /var/lib/rpm' > /root/.rpmmacros # Debian keeps one in each home
mkdir -p /repo /build /etc/dnf /etc/yum.repos.d /etc/zypp/repos.d
package() { # name, version, what it needs
  { printf 'Name: %s\nVersion: %s\nRelease: 1\nSummary: empty\nLicense: none\nBuildArch: noarch\n' "$1" "$2"
    [ -z "${3-}" ] || printf 'Requires: %s\n' "$3"
    printf '%%description\nempty\n%%files\n'; } > /build/p.spec
  rpmbuild -bb --define '_topdir /build' --define '_rpmdir /repo' /build/p.spec >/build/log 2>&1 || { tail -n 5 /build/log >&2; exit 1; }
}
package base 1.0
package old 1.0
rpm -i --nodeps /repo/noarch/base-1.0-1.noarch.rpm /repo/noarch/old-1.0-1.noarch.rpm 2>/dev/null
package old 2.0
package needs-new 1.0 'old >= 2.0'
package a-library-with-a-name-that-is-longer-than-the-column-for-it 1.0
package tool 1.0 a-library-with-a-name-that-is-longer-than-the-column-for-it
createrepo_c -q /repo
printf '[t]\nname=t\nbaseurl=file:///repo\nenabled=1\ngpgcheck=0\n' | tee /etc/yum.repos.d/t.repo > /etc/zypp/repos.d/t.repo

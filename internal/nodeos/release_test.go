package nodeos

import (
	"strings"
	"testing"
)

// As the systems have them, with what else is in the file.
var releases = map[string]string{
	"debian-12":         "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nID=debian\n",
	"ubuntu-22.04":      "NAME=\"Ubuntu\"\nVERSION_ID=\"22.04\"\nID=ubuntu\nID_LIKE=debian\n",
	"amazon-linux-2":    "NAME=\"Amazon Linux\"\nVERSION=\"2\"\nID=\"amzn\"\nID_LIKE=\"centos rhel fedora\"\nVERSION_ID=\"2\"\n",
	"amazon-linux-2023": "NAME=\"Amazon Linux\"\nID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"\nPLATFORM_ID=\"platform:al2023\"\n",
	"rhel-8":            "NAME=\"Red Hat Enterprise Linux\"\nVERSION=\"8.10 (Ootpa)\"\nID=\"rhel\"\nVERSION_ID=\"8.10\"\n",
	"rhel-9":            "ID=\"rhel\"\nVERSION_ID=\"9.6\"\nREDHAT_BUGZILLA_PRODUCT=\"Red Hat Enterprise Linux 9\"\n",
	"centos-stream-9":   "NAME=\"CentOS Stream\"\nVERSION=\"9\"\nID=\"centos\"\nVERSION_ID=\"9\"\n",
	"rocky-9":           "NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.5\"\n",
	"sles-15":           "NAME=\"SLES\"\nVERSION=\"15-SP6\"\nVERSION_ID=\"15.6\"\nID=\"sles\"\n",
	"flatcar":           "NAME=\"Flatcar Container Linux by Kinvolk\"\nID=flatcar\nID_LIKE=coreos\nVERSION=4230.2.3\nVERSION_ID=4230.2.3\n",
	"bottlerocket":      "NAME=Bottlerocket\nID=bottlerocket\nPRETTY_NAME=\"Bottlerocket OS 1.44.0 (aws-k8s-1.33)\"\nVARIANT_ID=aws-k8s-1.33\nVERSION_ID=1.44.0\n",
}

func TestReleases(t *testing.T) {
	for want, text := range releases {
		r, err := ParseRelease(text)
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if os, err := ByRelease(r); err != nil || os.ID != want {
			t.Errorf("%s: %s, %v", want, os.ID, err)
		}
	}
	for _, want := range All() {
		version := strings.NewReplacer(".*", ".3", "*", "1.2.3").Replace(want.ReleaseVersion)
		if os, err := ByRelease(Release{want.ReleaseID, version}); err != nil || os.ID != want.ID {
			t.Errorf("%s: %s, %v", want.ID, os.ID, err)
		}
	}
}

func TestReleasesThatAreNotKnown(t *testing.T) {
	for _, r := range []Release{{"debian", "12.5"}, {"rhel", "90"}, {"rhel", "80.1"}, {"rhel", ""}, {"amzn", "20"}, {"sles", "16.0"}, {"", "12"}, {"centos", "9.1"}} {
		if os, err := ByRelease(r); err == nil || !strings.Contains(err.Error(), "is not known") {
			t.Errorf("%v is %s", r, os.ID)
		}
	}
}

// An os-release is data, whatever it looks like.
func TestHostileReleases(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "names no system",
		"VERSION_ID=12\n":                        "names no system",
		"ID=$(reboot)\n":                         `the character '$'`,
		"ID=\"debian`reboot`\"\n":                "the character '`'",
		"ID=debian; reboot\n":                    `the character ';'`,
		"ID=\"debian\n":                          "begins with a quote",
		"ID=\"\n":                                "begins with a quote",
		"ID='debian\"\n":                         "begins with a quote",
		"ID=debian\nVERSION_ID=1\\2":             `the character '\\'`,
		"ID=deb\x1b[2Jian\n":                     `the character '\x1b'`,
		"ID=" + strings.Repeat("x", mostRelease): "bytes",
	} {
		if r, err := ParseRelease(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q is %v: %v, want %s", text, r, err, want)
		}
	}
	r, err := ParseRelease("# ID=no\nXID=no\nID=first\r\n  ID='debian'  \nexport ID=no\nVERSION_ID=\"\"\n")
	if err != nil || r != (Release{ID: "debian"}) {
		t.Errorf("%+v, %v", r, err)
	}
}

// FuzzRelease: whatever a machine says, what comes out are plain words.
func FuzzRelease(f *testing.F) {
	for _, text := range releases {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRelease(text)
		if err != nil {
			return
		}
		if r.ID == "" || strings.ContainsAny(r.ID+r.Version, " \t\r\n\"'`$;&|<>(){}\\/*?\x00\x1b") {
			t.Errorf("%q gives %+v", text, r)
		}
		if os, err := ByRelease(r); err == nil && os.ReleaseID != r.ID {
			t.Errorf("%+v is %s", r, os.ID)
		}
	})
}

package testimages

import (
	"os"
	"path"
	"path/filepath"

	"github.com/qualify-dev/qualify/internal/release/source"
)

// userlands are images that are there for the commands in them.
func userlands() []entry {
	return []entry{
		{
			image: "e2e-test-images/busybox", how: "busybox " + busyboxVersion + " compiled from its source",
			busybox: true, files: busyboxFiles, command: []string{"sh"},
		},
		{
			image: "e2e-test-images/jessie-dnsutils", how: "Debian's bind9-dnsutils and a shell; not of jessie, which is no longer served",
			debian: append([]string{"bind9-dnsutils", "bind9-host", "libc-bin"}, shell...), command: []string{"sleep", "infinity"},
		},
		{
			image: "e2e-test-images/nonroot", how: "a Debian shell that runs as user 1234",
			debian: shell, command: []string{"sh"}, user: "1234",
		},
		{
			image: "e2e-test-images/ipc-utils", how: "Debian's util-linux and a shell",
			debian: append([]string{"util-linux"}, shell...), command: []string{"sh"},
		},
	}
}

// busyboxFiles are those of the upstream image.
func busyboxFiles(p parts) ([]source.File, error) {
	list, err := os.ReadFile(filepath.Join(p.programs, "places"))
	if err != nil {
		return nil, err
	}
	places, err := applets(string(list))
	if err != nil {
		return nil, err
	}
	files := []source.File{
		p.program("busybox", "bin/busybox", 0o755),
		{Path: "etc/passwd", Mode: 0o644, Content: "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n" +
			"bin:x:2:2:bin:/bin:/bin/false\nsys:x:3:3:sys:/dev:/bin/false\nsync:x:4:100:sync:/bin:/bin/sync\nmail:x:8:8:mail:/var/spool/mail:/bin/false\n" +
			"www-data:x:33:33:www-data:/var/www:/bin/false\noperator:x:37:37:Operator:/var:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n"},
		{Path: "etc/group", Mode: 0o644, Content: "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\nwheel:x:10:root\nmail:x:8:\n" +
			"www-data:x:33:\nusers:x:100:\nnogroup:x:65534:\n"},
		{Path: "home", Dir: true, Mode: 0o755},
		{Path: "root", Dir: true, Mode: 0o700},
		{Path: "tmp", Dir: true, Mode: 0o1777},
		{Path: "var/spool/mail", Dir: true, Mode: 0o755},
		{Path: "var/www", Dir: true, Mode: 0o755},
	}
	for _, place := range places {
		files = append(files, source.File{Path: place, Link: "/bin/busybox"})
		// The upstream image has every program in /bin, and specs name them there.
		if inBin := path.Join("bin", path.Base(place)); inBin != place {
			files = append(files, source.File{Path: inBin, Link: "/bin/busybox"})
		}
	}
	return files, nil
}

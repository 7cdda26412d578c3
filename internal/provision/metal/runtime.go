package metal

import (
	"context"
	"fmt"
	"strings"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/remote"
	"github.com/qualify-dev/qualify/matrix"
)

// runtimePrograms are what a brought container runtime has; runc stays the
// system's.
var runtimePrograms = []string{"containerd", "containerd-shim-runc-v2", "ctr"}

// runtimeUnitFile is where the unit of a brought runtime is. It comes before
// that of a package.
const runtimeUnitFile = "/etc/systemd/system/containerd.service"

// runtimeOf finds the container runtime among a cell's components.
func runtimeOf(components []*release.Release) (*release.Release, error) {
	for _, c := range components {
		for _, part := range c.Components {
			if part.Name == matrix.Containerd {
				return c, nil
			}
		}
	}
	return nil, fmt.Errorf("the cell asks for a container runtime, and none was made for it")
}

// bringRuntime puts the programs of a brought runtime in place.
func (p preparer) bringRuntime(ctx context.Context, root remote.Root, arch string) error {
	if p.runtime == nil {
		return nil
	}
	for _, name := range runtimePrograms {
		at, err := p.assetOf(ctx, root, p.runtime, "bin/linux/"+arch+"/"+name)
		if err != nil {
			return err
		}
		if _, err := root.Exec(ctx, cluster.Command("install", "-m", "755", at, p.os.Host.BinDir+"/"+name)); err != nil {
			return fmt.Errorf("installing %s: %w", name, err)
		}
	}
	return nil
}

// runtimeUnit is what systemd has to be told of the runtime, and in which file;
// "" where the system's own unit does.
func (p preparer) runtimeUnit() (file, text string) {
	switch own := p.os.Host.Runtime; {
	case p.runtime != nil:
		return runtimeUnitFile, runtimeUnit(p.os.Host.BinDir)
	case own != nil && own.DropIn != "":
		return nodeos.RuntimeDropIn, own.DropIn
	}
	return "", ""
}

// runtimeUnit runs a brought containerd as its own documentation has it. The
// shim that it starts must be the one that came with it.
func runtimeUnit(binDir string) string {
	return `[Unit]
Description=containerd that is part of what is being qualified
After=network.target local-fs.target
[Service]
Environment=PATH=` + binDir + `:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=` + binDir + `/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=1
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
OOMScoreAdjust=-999
[Install]
WantedBy=multi-user.target
`
}

// provenRuntime sees that the containerd that runs is the one that was brought,
// by its digest: two of them may be on the host.
func (p preparer) provenRuntime(ctx context.Context, root remote.Root, arch string) error {
	if p.runtime == nil {
		return nil
	}
	asset, err := p.runtime.Asset("bin/linux/" + arch + "/containerd")
	if err != nil {
		return err
	}
	// An old systemd has no way to print a value alone.
	const running = `pid=$(systemctl show containerd -p MainPID); sha256sum "/proc/${pid#MainPID=}/exe"`
	out, err := root.Exec(ctx, cluster.Command("sh", "-euc", running))
	if err != nil {
		return fmt.Errorf("asking which containerd runs: %w", err)
	}
	if sum, _, _ := strings.Cut(string(out.Stdout), " "); sum != asset.SHA256 {
		return fmt.Errorf("the containerd that runs has the digest %q, %s has %s", sum, p.runtime.Name, asset.SHA256)
	}
	return nil
}

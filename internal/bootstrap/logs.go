package bootstrap

import (
	"context"
	"errors"
	"io"
	"path/filepath"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/sink"
)

// logs are the commands whose output is kept of a node. Each is bounded: a
// cluster under test may write without end.
var logs = []struct{ file, script string }{
	{"kubelet.log", "journalctl --no-pager -q -u kubelet | tail -c 4000000"},
	{"containerd.log", "journalctl --no-pager -q -u containerd | tail -c 2000000"},
	{"journal.log", "journalctl --no-pager -q -b | tail -c 2000000"},
	{"images.txt", "ctr -n k8s.io images ls"},
	{"network.txt", "ip addr; ip route; find /etc/cni/net.d -name '*.conflist' -exec cat {} +"},
	{"os-release", "cat /etc/os-release; uname -a"},
	{"packages.txt", "(dpkg-query -W || rpm -qa) 2>/dev/null | sort"},
	{"pods.tar", "tar -C /var/log -cf - pods | head -c 20000000"},
}

// Collect writes what a node tells of itself into a directory that is there: as
// much as can be had. stream runs a command on the node.
func Collect(ctx context.Context, to *sink.Sink, dir string, stream func(context.Context, cluster.Cmd, io.Writer) error) error {
	var problems error
	for _, log := range logs {
		problems = errors.Join(problems, collect(to, filepath.Join(dir, log.file), func(w io.Writer) error {
			return stream(ctx, cluster.Script(log.script), w)
		}))
	}
	return problems
}

func collect(to *sink.Sink, file string, write func(io.Writer) error) (err error) {
	f, err := to.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f)
}

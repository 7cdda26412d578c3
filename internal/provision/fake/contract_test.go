package fake

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/provisiontest"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/matrix"
)

func TestContract(t *testing.T) {
	clouds := map[string]Options{
		"an easy cloud": {},
		"a slow cloud":  {Slow: 5 * time.Millisecond},
		"a late cloud":  {LateRate: 0.7, Late: 40 * time.Millisecond},
	}
	for name, o := range clouds {
		t.Run(name, func(t *testing.T) {
			provisiontest.Run(t, func(t *testing.T) provisiontest.Harness { return harness(t, o) })
		})
	}
}

func harness(t *testing.T, o Options) provisiontest.Harness {
	rel := Release("v1.34.4")
	o.Dir = t.TempDir()
	cloud := Cloud{Dir: o.Dir}
	server := httptest.NewServer(cloud.API(rel))
	t.Cleanup(server.Close)
	o.Server, o.Answers = server.URL, []Answer{host}
	return provisiontest.Harness{
		Entry: Entry(o), Config: config(t), Cell: cell(), Release: rel, Workers: 2,
		Patience: 20 * time.Second, Prompt: 2 * time.Second,
		Add: func(t *testing.T, name string, lease provision.Lease) func() bool {
			if err := cloud.Add(network, name, lease); err != nil {
				t.Fatal(err)
			}
			id := Record{Kind: network, Name: name}.ID()
			return func() bool { return slices.Contains(ids(t, cloud, ""), id) }
		},
		Left: func(t *testing.T, lease provision.Lease) []string {
			var names []string
			for _, r := range truth(t, cloud) {
				if strings.HasPrefix(r.Name, lease.Name) {
					names = append(names, r.Name)
				}
			}
			return names
		},
	}
}

func config(t *testing.T) provision.Config {
	return provision.Config{Log: t.Logf, Sink: sink.New(redact.New())}
}

func cell() matrix.Cell {
	return matrix.NewCell(map[string]string{matrix.OS: "debian-12", matrix.K8s: "v1.34.4", matrix.Provisioner: Name})
}

func truth(t *testing.T, c Cloud) []Record {
	t.Helper()
	all, err := c.All()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ids are of all that there is of a lease, or of all leases and none.
func ids(t *testing.T, c Cloud, lease string) []string {
	t.Helper()
	var all []string
	for _, r := range truth(t, c) {
		if lease == "" || r.Lease.Name == lease {
			all = append(all, r.ID())
		}
	}
	return all
}

// host answers by running the command on this machine, in the node's place:
// what it is told of NodeDir, it does below the node's root.
func host(ctx context.Context, call Call) (cluster.Output, bool, error) {
	if err := os.MkdirAll(call.Root+provisiontest.NodeDir, 0o755); err != nil {
		return cluster.Output{}, true, err
	}
	argv := slices.Clone(call.Cmd.Argv)
	for i := range argv {
		argv[i] = strings.ReplaceAll(argv[i], provisiontest.NodeDir, call.Root+provisiontest.NodeDir)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = call.Cmd.Stdin, &stdout, &stderr
	err := cmd.Run()
	out := cluster.Output{Stdout: stdout.Bytes(), Stderr: stderr.Bytes()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, true, &cluster.ExitError{Code: exit.ExitCode(), Output: out}
	}
	return out, true, err
}

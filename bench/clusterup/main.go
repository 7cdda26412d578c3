// Command clusterup measures what qualify's cluster-up costs on top of kind's
// own: `kind create cluster` and the kind provisioner bring the same node image
// up with the same configuration, in turn, and the ratio of the medians is
// printed. The provisioner's part is more than kind's: it goes on until every
// node is Ready and cluster DNS answers each of them. It also has a way of its
// own to be sooner up: kubeadm's steps side by side, and one setting of the
// controller manager, which -tuned gives to kind as well.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/kind"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/matrix"
)

func main() {
	runs := flag.Int("runs", 5, "runs of each arm")
	version := flag.String("k8s", "v1.34.4", "Kubernetes version")
	tuned := flag.Bool("tuned", false, "give kind the setting too by which qualify makes the controller manager start sooner")
	flag.Parse()
	if err := measure(context.Background(), *runs, *version, *tuned); err != nil {
		fmt.Fprintln(os.Stderr, "clusterup:", err)
		os.Exit(1)
	}
}

// bench is what both arms share.
type bench struct {
	dir         string
	kindCommand string
	provisioner provision.Provisioner
	spec        provision.Spec
	image       string
	config      string
}

func measure(ctx context.Context, runs int, version string, tuned bool) error {
	b, err := prepare(ctx, version, tuned)
	if err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	var kinds, ours []float64
	fmt.Println("run  kind create cluster (s)  qualify cluster-up (s)")
	for i := range runs {
		k, q, err := b.pair(ctx, i)
		if err != nil {
			return err
		}
		kinds, ours = append(kinds, k), append(ours, q)
		fmt.Printf("%3d  %23.1f  %22.1f\n", i+1, k, q)
	}
	fmt.Printf("median %20.1f  %22.1f\nratio of the medians: %.3f\n", median(kinds), median(ours), median(ours)/median(kinds))
	return nil
}

func prepare(ctx context.Context, version string, tuned bool) (*bench, error) {
	c, err := cache.Default()
	if err != nil {
		return nil, err
	}
	manifest, err := source.Build(ctx, source.Options{Version: version, Cache: c})
	if err != nil {
		return nil, err
	}
	rel, err := release.Load(release.Ref{Kind: release.PathRef, Value: manifest}, release.Options{})
	if err != nil {
		return nil, err
	}
	b := &bench{spec: provision.Spec{
		Cell: matrix.NewCell(map[string]string{"os": "debian-12", "k8s": version, "provisioner": "kind"}), Release: rel, Workers: 2, Phase: func(string) {},
	}}
	b.provisioner, err = kind.Entry().New(provision.Config{
		CacheDir: c.Dir, Store: &release.Store{Dir: filepath.Join(c.Dir, "store")}, Owner: "bench", Log: func(string, ...any) {}, Sink: sink.New(redact.New()),
	})
	if err != nil {
		return nil, err
	}
	imager, ok := b.provisioner.(interface {
		NodeImage(context.Context, provision.Spec) (string, error)
	})
	if !ok {
		return nil, fmt.Errorf("the provisioner makes no node images")
	}
	if b.image, err = imager.NodeImage(ctx, b.spec); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "qualify-bench-"); err != nil {
		return nil, err
	}
	b.kindCommand = filepath.Join(b.dir, "kind")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", b.kindCommand, "sigs.k8s.io/kind").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building kind: %w: %s", err, out)
	}
	return b, b.writeConfig(tuned)
}

func (b *bench) writeConfig(tuned bool) error {
	config, err := kind.Config(b.image, b.spec)
	if err != nil {
		return err
	}
	if tuned {
		config = kind.Tuned(config)
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		return err
	}
	b.config = filepath.Join(b.dir, "kind.yaml")
	return os.WriteFile(b.config, text, 0o600)
}

// pair runs both arms once; which goes first alternates, so that whatever the
// first leaves warm or busy falls on both alike.
func (b *bench) pair(ctx context.Context, i int) (k, q float64, err error) {
	if i%2 == 0 {
		if k, err = b.kindUp(ctx); err == nil {
			q, err = b.qualifyUp(ctx, i)
		}
		return k, q, err
	}
	if q, err = b.qualifyUp(ctx, i); err == nil {
		k, err = b.kindUp(ctx)
	}
	return k, q, err
}

func (b *bench) kindUp(ctx context.Context) (float64, error) {
	const name = "q-bench-kind"
	kubeconfig := filepath.Join(b.dir, "kind.kubeconfig")
	defer func() {
		_ = exec.Command(b.kindCommand, "delete", "cluster", "--name", name, "--kubeconfig", kubeconfig).Run()
		_ = exec.Command("docker", "network", "rm", name).Run()
	}()
	cmd := exec.CommandContext(ctx, b.kindCommand, "create", "cluster", "--name", name, "--config", b.config, "--kubeconfig", kubeconfig)
	// A network of its own, as the provisioner makes one, and removed again.
	cmd.Env = append(os.Environ(), "KIND_EXPERIMENTAL_DOCKER_NETWORK="+name)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("kind create cluster: %w: %s", err, out)
	}
	return time.Since(start).Seconds(), nil
}

func (b *bench) qualifyUp(ctx context.Context, i int) (seconds float64, err error) {
	lease := provision.Lease{Name: "q-bench-qualify", Run: "bench", Cell: b.spec.Cell.ID, Owner: "bench", Expires: time.Now().Add(time.Hour)}
	spec := b.spec
	spec.Dir = filepath.Join(b.dir, fmt.Sprint(i))
	if err := os.MkdirAll(spec.Dir, 0o700); err != nil {
		return 0, err
	}
	defer func() {
		if down := b.provisioner.Down(ctx, lease); err == nil {
			err = down
		}
	}()
	start := time.Now()
	if _, err := b.provisioner.Up(ctx, lease, spec); err != nil {
		return 0, fmt.Errorf("qualify cluster-up: %w", err)
	}
	return time.Since(start).Seconds(), nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

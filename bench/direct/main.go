// Command direct measures what it costs that qualify deals specs to the test
// processes itself and journals each report: the conformance suite's quick
// slice is run by qualify and by `ginkgo --procs`, of the version that the test
// binary was built with, in turn on one cluster, and the ratio of the medians is
// printed. With -sweep it runs qualify's way alone, with several numbers of
// processes; with -backends, other backends of qualify's are run in turn with both.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/ginkgo"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/kind"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

func main() {
	runs := flag.Int("runs", 5, "runs of each arm")
	procs := flag.Int("procs", 6, "processes of each arm")
	version := flag.String("k8s", "v1.34.4", "Kubernetes version")
	sweep := flag.String("sweep", "", "run qualify's way once with each of these numbers of processes instead, e.g. 2,4,8")
	backends := flag.String("backends", "", "also measure these backends of qualify's, e.g. pod,sonobuoy")
	flag.Parse()
	var others []string
	if *backends != "" {
		others = strings.Split(*backends, ",")
	}
	if err := measure(context.Background(), *runs, *procs, *version, *sweep, others); err != nil {
		fmt.Fprintln(os.Stderr, "direct:", err)
		os.Exit(1)
	}
}

// bench is what both arms share.
type bench struct {
	dir     string
	rel     *release.Release
	store   *release.Store
	cluster *cluster.Cluster
	suite   suites.Suite
	specs   []string
	ginkgo  string // Ginkgo's own command
	cache   cache.Cache
	others  []string // backends beside the direct one
}

func measure(ctx context.Context, runs, procs int, version, sweep string, others []string) (err error) {
	b := &bench{others: others}
	if b.suite, err = suites.Find("conformance"); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "qualify-direct-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	down, err := b.up(ctx, version)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, down()) }()
	if b.specs, err = b.suite.Expect(b.rel); err != nil {
		return err
	}
	if sweep != "" {
		return b.sweep(ctx, sweep)
	}
	if b.ginkgo, err = b.artifact(ctx, "bin/linux/amd64/ginkgo"); err != nil {
		return err
	}
	return b.compare(ctx, runs, procs)
}

func (b *bench) up(ctx context.Context, version string) (down func() error, err error) {
	c, err := cache.Default()
	if err != nil {
		return nil, err
	}
	b.cache = c
	manifest, err := source.Build(ctx, source.Options{Version: version, Cache: c})
	if err != nil {
		return nil, err
	}
	if b.rel, err = release.Load(release.Ref{Kind: release.PathRef, Value: manifest}, release.Options{}); err != nil {
		return nil, err
	}
	b.store = &release.Store{Dir: filepath.Join(c.Dir, "store")}
	p, err := kind.Entry().New(provision.Config{CacheDir: c.Dir, Store: b.store, Owner: "bench", Log: func(string, ...any) {}, Sink: sink.New(redact.New())})
	if err != nil {
		return nil, err
	}
	cell := matrix.NewCell(map[string]string{"os": "debian-12", "k8s": version, "provisioner": "kind"})
	lease := provision.Lease{Name: "q-bench-direct", Run: "bench", Cell: cell.ID, Owner: "bench", Expires: time.Now().Add(time.Hour)}
	down = func() error { return p.Down(context.WithoutCancel(ctx), lease) }
	b.cluster, err = p.Up(ctx, lease, provision.Spec{Cell: cell, Release: b.rel, Workers: 2, Dir: b.dir, Phase: func(string) {}})
	if err != nil {
		return nil, errors.Join(err, down())
	}
	return down, nil
}

func (b *bench) artifact(ctx context.Context, asset string) (string, error) {
	return b.store.Fetch(ctx, b.rel, asset)
}

func (b *bench) sweep(ctx context.Context, numbers string) error {
	fmt.Printf("processes  qualify (s), %d specs\n", len(b.specs))
	for _, text := range strings.Split(numbers, ",") {
		procs, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		seconds, err := b.ours(ctx, "sweep-"+text, "", procs)
		if err != nil {
			return err
		}
		fmt.Printf("%9d  %11.1f\n", procs, seconds)
	}
	return nil
}

// arm is one way to run the specs, with the seconds that each run took.
type arm struct {
	name    string
	run     func(n int) (float64, error)
	seconds []float64
}

// compare runs all arms in turn; every second time in the other order.
func (b *bench) compare(ctx context.Context, runs, procs int) error {
	arms := []*arm{
		{name: fmt.Sprintf("ginkgo --procs=%d", procs), run: func(int) (float64, error) { return b.plain(ctx, procs) }},
		{name: "direct", run: func(n int) (float64, error) { return b.ours(ctx, fmt.Sprintf("direct-%d", n), "", procs) }},
	}
	for _, backend := range b.others {
		arms = append(arms, &arm{name: backend, run: func(n int) (float64, error) { return b.ours(ctx, fmt.Sprintf("%s-%d", backend, n), backend, procs) }})
	}
	fmt.Printf("run  %d specs, seconds\n", len(b.specs))
	for i := range runs {
		order := slices.Clone(arms)
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, a := range order {
			seconds, err := a.run(i)
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			a.seconds = append(a.seconds, seconds)
		}
		fmt.Printf("%3d", i+1)
		for _, a := range arms {
			fmt.Printf("  %s %.1f", a.name, a.seconds[i])
		}
		fmt.Println()
	}
	for _, a := range arms {
		fmt.Printf("median %s: %.1f, ratio to ginkgo %.3f\n", a.name, median(a.seconds), median(a.seconds)/median(arms[0].seconds))
	}
	return nil
}

// plain is Ginkgo's command over the same specs, with the flags of the suite.
func (b *bench) plain(ctx context.Context, procs int) (float64, error) {
	e2e, err := b.artifact(ctx, "bin/linux/amd64/e2e.test")
	if err != nil {
		return 0, err
	}
	kubectl, err := b.artifact(ctx, "bin/linux/amd64/kubectl")
	if err != nil {
		return 0, err
	}
	// It only takes a precompiled suite by this ending.
	link := filepath.Join(b.dir, "e2e.test")
	if err := os.Symlink(e2e, link); err != nil && !errors.Is(err, os.ErrExist) {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, b.ginkgo, "--procs="+strconv.Itoa(procs), "--no-color", "--timeout=1h", "--focus="+ginkgo.Focus("", b.specs), link, "--",
		"--provider=skeleton", "--kubeconfig="+b.cluster.Kubeconfig, "--kubectl-path="+kubectl, "--disable-log-dump", "--dump-logs-on-failure=true", "--max-nodes-to-gather-from=0")
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("ginkgo: %w: %s", err, out[max(0, len(out)-2000):])
	}
	if want := fmt.Sprintf("Ran %d of ", len(b.specs)); !bytes.Contains(out, []byte(want)) {
		return 0, fmt.Errorf("ginkgo did not run %d specs: %s", len(b.specs), out[max(0, len(out)-2000):])
	}
	return time.Since(start).Seconds(), nil
}

// conformance is the conformance image of the release, as a run has it made.
func (b *bench) conformance(ctx context.Context) (suites.Image, error) {
	tests := source.Tests{Version: b.rel.Kubernetes()}
	for name, file := range map[string]*string{"e2e.test": &tests.E2E, "ginkgo": &tests.Ginkgo, "kubectl": &tests.Kubectl} {
		var err error
		if *file, err = b.artifact(ctx, "bin/linux/amd64/"+name); err != nil {
			return suites.Image{}, err
		}
	}
	made, err := source.Conformance(ctx, b.cache, tests)
	return suites.Image{Ref: made.Ref, Digest: made.Digest, File: made.File}, err
}

func (b *bench) sonobuoy(ctx context.Context) (suites.Image, error) {
	made, err := source.Sonobuoy(ctx, b.cache)
	return suites.Image{Ref: made.Ref, Digest: made.Digest, File: made.File}, err
}

// ours is the suite as a run has it, each case in a journal on disk.
func (b *bench) ours(ctx context.Context, name, backend string, procs int) (float64, error) {
	dir := filepath.Join(b.dir, "ours-"+name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	start := time.Now()
	journal, err := result.Create(filepath.Join(dir, "journal.jsonl"), time.Now)
	if err != nil {
		return 0, err
	}
	var problems error
	passed := 0
	err = b.suite.Run(ctx, suites.Env{
		Cluster: b.cluster, Release: b.rel, Artifact: b.artifact, Expected: b.specs, Backend: backend, Conformance: b.conformance, Sonobuoy: b.sonobuoy, Sink: sink.New(redact.New()), Dir: dir, Procs: procs,
	}, func(c result.Case) {
		if c.Outcome == result.Pass {
			passed++
		}
		_, err := journal.Append(result.Event{Kind: result.CaseEnded, Cell: "bench", Suite: "conformance", Case: &c})
		problems = errors.Join(problems, err)
	})
	seconds := time.Since(start).Seconds()
	if err = errors.Join(err, problems, journal.Close()); err != nil {
		return 0, err
	}
	if passed != len(b.specs) {
		return 0, fmt.Errorf("%d of %d specs passed", passed, len(b.specs))
	}
	return seconds, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

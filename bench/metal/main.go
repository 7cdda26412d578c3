// Command metal measures what bare metal costs beside kind: both provisioners
// bring three nodes of the same release up, in turn. kind's arm is measured
// with its node image at hand, and with the image still to be made of the
// release's files; the arm of the machines with what a node needs of the
// operating system installed, as it is in kind's root filesystem, so that
// either way goes from files of the release to a cluster whose DNS answers on
// every node.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/kind"
	"github.com/qualify-dev/qualify/internal/provision/metal"
	"github.com/qualify-dev/qualify/internal/provision/metal/metaltest"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/matrix"
)

func main() {
	runs := flag.Int("runs", 3, "runs of each arm")
	version := flag.String("k8s", "v1.34.4", "Kubernetes version")
	bare := flag.Bool("bare", false, "also measure machines that have to install packages first; the network to Debian's mirror is part of that")
	phases := flag.Bool("phases", false, "print when each phase begins")
	flag.Parse()
	if err := measure(context.Background(), *runs, *version, *bare, *phases); err != nil {
		fmt.Fprintln(os.Stderr, "metal:", err)
		os.Exit(1)
	}
}

// arm is one way to a cluster.
type arm struct {
	name  string
	up    func(context.Context) (float64, error) // seconds
	took  []float64
	kinds bool
}

// bench is what the arms share.
type bench struct {
	cache  cache.Cache
	rel    *release.Release
	phases bool
}

func measure(ctx context.Context, runs int, version string, bare, phases bool) error {
	c, err := cache.Default()
	if err != nil {
		return err
	}
	manifest, err := source.Build(ctx, source.Options{Version: version, Cache: c})
	if err != nil {
		return err
	}
	rel, err := release.Load(release.Ref{Kind: release.PathRef, Value: manifest}, release.Options{})
	if err != nil {
		return err
	}
	os, err := nodeos.Find("debian-12")
	if err != nil {
		return err
	}
	b := &bench{cache: c, rel: rel, phases: phases}
	arms := []*arm{
		{name: "kind, image at hand", up: func(ctx context.Context) (float64, error) { return b.kind(ctx, false) }, kinds: true},
		{name: "kind, image made", up: func(ctx context.Context) (float64, error) { return b.kind(ctx, true) }, kinds: true},
		{name: "machines", up: func(ctx context.Context) (float64, error) { return b.machines(ctx, os.Host.NodePackages(true)) }},
	}
	if bare {
		arms = append(arms, &arm{name: "machines without packages", up: func(ctx context.Context) (float64, error) { return b.machines(ctx, nil) }})
	}
	for i := range runs {
		for j := range arms {
			a := arms[(i+j)%len(arms)] // another one is first each time
			took, err := a.up(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			fmt.Printf("%d  %-26s %6.1f s\n", i+1, a.name, took)
			a.took = append(a.took, took)
		}
	}
	for _, a := range arms {
		fmt.Printf("median  %-22s %6.1f s", a.name, median(a.took))
		for _, k := range arms {
			if k.kinds && !a.kinds {
				fmt.Printf("   %.2f of %s", median(a.took)/median(k.took), k.name)
			}
		}
		fmt.Println()
	}
	return nil
}

func (b *bench) config(inventory string) provision.Config {
	return provision.Config{
		CacheDir: b.cache.Dir, Store: &release.Store{Dir: filepath.Join(b.cache.Dir, "store")}, Owner: "bench",
		Log: func(string, ...any) {}, Sink: sink.New(redact.New()), Inventory: inventory,
	}
}

// time brings a cluster up, and removes it after the clock has stopped.
func (b *bench) time(ctx context.Context, p provision.Provisioner, name, dir string) (took float64, err error) {
	cell := matrix.NewCell(map[string]string{matrix.OS: "debian-12", matrix.K8s: b.rel.Kubernetes(), matrix.Provisioner: name})
	lease := provision.Lease{Name: "q-bench-metal", Run: "bench", Cell: cell.ID, Owner: "bench", Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second)}
	start := time.Now()
	spec := provision.Spec{Cell: cell, Release: b.rel, Workers: 2, Dir: dir, Phase: func(phase string) {
		if b.phases {
			fmt.Printf("   %6.1f s  %s\n", time.Since(start).Seconds(), phase)
		}
	}}
	defer func() { err = errors.Join(err, p.Down(ctx, lease)) }()
	if _, err := p.Up(ctx, lease, spec); err != nil {
		return 0, err
	}
	return time.Since(start).Seconds(), nil
}

func (b *bench) kind(ctx context.Context, afresh bool) (float64, error) {
	p, err := kind.Entry().New(b.config(""))
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "qualify-bench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	imager, ok := p.(interface {
		NodeImage(context.Context, provision.Spec) (string, error)
	})
	if !ok {
		return 0, errors.New("the provisioner makes no node images")
	}
	spec := provision.Spec{Cell: matrix.NewCell(map[string]string{matrix.OS: "debian-12", matrix.K8s: b.rel.Kubernetes(), matrix.Provisioner: "kind"}), Release: b.rel, Workers: 2, Phase: func(string) {}}
	image, err := imager.NodeImage(ctx, spec)
	if err != nil {
		return 0, err
	}
	if afresh {
		if _, err := metaltest.Docker(ctx, "image", "rm", image); err != nil {
			return 0, err
		}
	}
	return b.time(ctx, p, "kind", dir)
}

func (b *bench) machines(ctx context.Context, packages []string) (took float64, err error) {
	dir, err := os.MkdirTemp("", "qualify-bench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	fleet, err := metaltest.Start(ctx, b.cache, metaltest.Options{Machines: 3, Suite: "bookworm", Packages: packages, Dir: dir})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	p, err := metal.Entry().New(b.config(fleet.Inventory))
	if err != nil {
		return 0, err
	}
	return b.time(ctx, p, metal.Name, dir)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

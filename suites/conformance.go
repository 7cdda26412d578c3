package suites

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/cncf"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/schedule"
)

//go:embed data/conformance-quick.txt
var conformanceQuickList string

// The modes of the conformance suite.
const (
	quick     = "quick"
	full      = "full"
	certified = "certified"
)

// conformance runs the Kubernetes conformance suite, or a fixed slice of it, with
// the candidate's own test binary.
func conformance() Suite {
	return Suite{
		Name:   "conformance",
		Doc:    "the [Conformance] specs of the release, run by the candidate's own e2e.test: a fixed slice, or all of them",
		Expect: expectQuick,
		Modes: []Mode{
			{Name: quick, Doc: "a fixed slice from every SIG that needs no image but agnhost and pause", Expect: expectQuick},
			{Name: full, Doc: "every conformance test of the release, side by side where they allow it", Expect: expectAll, Budget: 4 * time.Hour, Images: true, Divide: divide},
			{Name: certified, Doc: "every conformance test, one after the other, with the files of a submission", Expect: expectAll, Budget: 10 * time.Hour, Images: true},
		},
		Backends: backends(),
		Run:      runConformance,
	}
}

func expectQuick(rel *release.Release) ([]string, error) {
	list, err := names(conformanceQuickList)
	if err != nil {
		return nil, err
	}
	minor, err := minorOf(rel.Kubernetes())
	if err != nil {
		return nil, err
	}
	if minor < 37 {
		return list, nil
	}
	for i, name := range list {
		list[i] = strings.Replace(name, "[NodeConformance] [Conformance]", "[Conformance] [NodeConformance]", 1)
	}
	return list, nil
}

func expectAll(rel *release.Release) ([]string, error) { return cncf.TestsOf(rel.Kubernetes()) }

func minorOf(version string) (int, error) {
	parts := strings.Split(version, ".")
	if len(parts) < 3 {
		return 0, fmt.Errorf("%q is no Kubernetes version", version)
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0, fmt.Errorf("%q is no Kubernetes version: %w", version, err)
	}
	return minor, nil
}

// allConformance selects every conformance spec of a test binary.
const allConformance = `\[Conformance\]`

func runConformance(ctx context.Context, env Env, emit func(result.Case)) error {
	binary, err := env.Artifact(ctx, "bin/linux/amd64/e2e.test")
	if err != nil {
		return err
	}
	kubectl, err := env.Artifact(ctx, "bin/linux/amd64/kubectl")
	if err != nil {
		return err
	}
	specs := specs{binary: binary, args: []string{
		"--provider=skeleton", "--kubeconfig=" + env.Cluster.Kubeconfig, "--kubectl-path=" + kubectl,
		"--disable-log-dump",
		// Of a spec that failed, the events and pods of its namespaces; not all of each node.
		"--dump-logs-on-failure=true", "--max-nodes-to-gather-from=0",
	}}
	if specs.by, err = conformance().By(env.Backend); err != nil {
		return err
	}
	specs.alone = env.Mode == certified
	if env.Mode == full || env.Mode == certified {
		// What the release's own list lacks and the binary has is no detail: one of
		// the two is of another version.
		specs.all = allConformance
		if specs.known, err = expectAll(env.Release); err != nil {
			return err
		}
	}
	if env.Expected, err = longestFirst(env.Release, env.Expected); err != nil {
		return err
	}
	return specs.run(ctx, env, emit)
}

// sharedProcs is the number of processes a cluster that the division reckons
// with. A plan does not know how many there will be.
const sharedProcs = 8

// divide spreads conformance specs over clusters so that the last one is done
// as early as possible.
func divide(rel *release.Release, names []string, clusters int) ([][]string, error) {
	queue, err := order(rel, names)
	if err != nil {
		return nil, err
	}
	var parts [][]string
	for _, part := range queue.Shard(clusters, sharedProcs) {
		mine := map[string]bool{}
		for _, name := range part.Names() {
			mine[name] = true
		}
		parts = append(parts, slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !mine[name] }))
	}
	return parts, nil
}

// longestFirst puts specs in the order in which they should start.
func longestFirst(rel *release.Release, names []string) ([]string, error) {
	queue, err := order(rel, names)
	return queue.Names(), err
}

func order(rel *release.Release, names []string) (schedule.Queue, error) {
	minor, err := minorOf(rel.Kubernetes())
	if err != nil {
		return schedule.Queue{}, err
	}
	medians, err := schedule.Medians(minor)
	if err != nil {
		return schedule.Queue{}, err
	}
	return schedule.Order(names, schedule.NewEstimates(medians)), nil
}

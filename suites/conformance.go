package suites

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
)

//go:embed data/conformance-quick.txt
var conformanceQuickList string

// conformance runs a fixed slice of the Kubernetes conformance suite with the
// candidate's own test binary.
func conformance() Suite {
	return Suite{
		Name:   "conformance",
		Doc:    "a fixed list of [Conformance] specs from every SIG, run by the candidate's own e2e.test",
		Expect: expectConformance,
		Run:    runConformance,
	}
}

func expectConformance(rel *release.Release) ([]string, error) {
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

func runConformance(ctx context.Context, env Env, emit func(result.Case)) error {
	binary, err := env.Artifact(ctx, "bin/linux/amd64/e2e.test")
	if err != nil {
		return err
	}
	kubectl, err := env.Artifact(ctx, "bin/linux/amd64/kubectl")
	if err != nil {
		return err
	}
	return runSpecs(ctx, env, binary, []string{
		"--provider=skeleton", "--kubeconfig=" + env.Cluster.Kubeconfig, "--kubectl-path=" + kubectl,
		"--disable-log-dump", "--dump-logs-on-failure=false",
	}, emit)
}

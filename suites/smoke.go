package suites

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
)

//go:embed data/smoke.txt
var smokeList string

// smoke runs our own specs (suites/e2e): what every workload on a cluster
// stands on, in about a minute.
func smoke() Suite {
	return Suite{
		Name:   "smoke",
		Doc:    "our own specs: rollout, Service, DNS, pod network, exec and logs, ConfigMap, StatefulSet, Job",
		Expect: func(*release.Release) ([]string, error) { return names(smokeList) },
		Run:    runSmoke,
	}
}

func runSmoke(ctx context.Context, env Env, emit func(result.Case)) error {
	binary, err := env.Tool("qualify-e2e")
	if err != nil {
		return err
	}
	agnhost, err := env.Release.Asset("agnhost-image")
	if err != nil {
		return fmt.Errorf("the smoke suite runs agnhost: %w", err)
	}
	return runSpecs(ctx, env, binary, []string{
		"--provider=skeleton", "--kubeconfig=" + env.Cluster.Kubeconfig, "--agnhost-image=" + agnhost.URI,
	}, emit)
}

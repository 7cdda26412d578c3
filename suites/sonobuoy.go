package suites

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/cncf"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sonobuoy"
)

// bySonobuoy has the specs run by a plugin of Sonobuoy's, with the release's conformance image.
func bySonobuoy() Backend {
	return Backend{Name: "sonobuoy", Doc: "the release's conformance image as a plugin of Sonobuoy", run: runBySonobuoy}
}

func runBySonobuoy(ctx context.Context, env Env, j job, report func(result.Case)) error {
	if env.Cluster.Foreign {
		return errors.New("Sonobuoy leaves no way to see that it ran the release's tests where the nodes cannot be reached: use --backend pod")
	}
	image, node, err := env.place(ctx, env.Conformance)
	if err != nil {
		return err
	}
	definition, err := sonobuoy.Conformance(image.Ref, node, j.settings(env))
	if err != nil {
		return err
	}
	results, err := env.sonobuoy(ctx, string(definition), jobID(env, j, image), env.progress(len(j.names)))
	if err != nil {
		return err
	}
	const junit, log = "results/global/" + cncf.JUnitFile, "results/global/" + cncf.LogFile
	for _, name := range []string{junit, log} {
		if len(results.Files[name]) == 0 {
			return fmt.Errorf("the plugin has left no %s: it says %q", name, results.Item.Status)
		}
	}
	// Sonobuoy does not keep the exit code. Its own word stands for it: "complete" alone would be said of anything.
	code := 1
	if results.Item.Status == sonobuoy.Passed {
		code = 0
	}
	return take(env, j, ran{results.Files[junit], results.Files[log], code}, report)
}

// sonobuoy runs one plugin, with Sonobuoy's image on every node.
func (e Env) sonobuoy(ctx context.Context, definition, job string, progress func(int)) (sonobuoy.Results, error) {
	image, err := e.Sonobuoy(ctx)
	if err != nil {
		return sonobuoy.Results{}, err
	}
	if err := e.load(ctx, image, e.Cluster.Nodes...); err != nil {
		return sonobuoy.Results{}, err
	}
	run := sonobuoy.Run{
		Kubeconfig: e.Cluster.Kubeconfig, Lease: e.Cluster.Name, Job: job, Image: image.Ref, Kubernetes: e.Release.Kubernetes(),
		Plugin: []byte(definition), Progress: progress, Times: e.podTimes,
	}
	if end, bounded := ctx.Deadline(); bounded {
		run.Budget = time.Until(end)
	}
	return run.Execute(ctx)
}

const pluginPrefix = "plugin-"

// IsPlugin tells whether a suite of that name is a Sonobuoy plugin.
func IsPlugin(suite string) bool {
	return strings.HasPrefix(suite, pluginPrefix) && len(suite) > len(pluginPrefix)
}

// PluginName is the name of the suite that a plugin is, by its definition.
func PluginName(definition []byte) (string, error) {
	p, err := sonobuoy.Parse(definition)
	if err != nil {
		return "", err
	}
	return pluginPrefix + p.Name, nil
}

// plugin is a suite out of a definition that the plan has. What it tests is not
// known before it runs, so it is planned to come to a good end, and each result that it shows counts beside that.
func plugin(name string) Suite {
	end := pluginEnd(name)
	return Suite{
		Name: name, Doc: "a Sonobuoy plugin", Plugin: true,
		Expect: func(*release.Release) ([]string, error) { return []string{end}, nil },
		Run: func(ctx context.Context, env Env, emit func(result.Case)) error {
			return runPlugin(ctx, env, end, emit)
		},
	}
}

// pluginEnd is the case that says how the plugin as a whole has ended.
func pluginEnd(suite string) string { return strings.TrimPrefix(suite, pluginPrefix) + ": all results" }

func runPlugin(ctx context.Context, env Env, end string, emit func(result.Case)) error {
	p, err := sonobuoy.Parse([]byte(env.Plugin))
	if err != nil {
		return err
	}
	if pluginEnd(pluginPrefix+p.Name) != end {
		return fmt.Errorf("the plan has the definition of plugin %s for the suite that shows %q", p.Name, end)
	}
	sum := sha256.Sum256([]byte(env.Plugin))
	results, err := env.sonobuoy(ctx, env.Plugin, hex.EncodeToString(sum[:]), nil)
	if err != nil {
		return err
	}
	for name, data := range results.Files {
		if filepath.Base(name) != "sonobuoy_results.yaml" {
			continue
		}
		if err := env.Sink.WriteFile(filepath.Join(env.Dir, "sonobuoy_results.yaml"), data); err != nil {
			return fmt.Errorf("keeping the plugin's results: %w", err)
		}
	}
	leaves, err := results.Leaves(env.Cluster.Name)
	if err != nil {
		return err
	}
	last := result.Case{Name: end, Attempt: 1}
	count := map[result.Outcome]int{}
	for _, leaf := range leaves {
		c := leafCase(leaf, env)
		count[c.Outcome]++
		// Skipped ones are thousands, where a plugin selects some tests of many.
		if c.Outcome != result.Skip && !slices.Contains(env.Shown, c.Name) {
			emit(c)
		}
		if c.Name == end {
			return fmt.Errorf("the plugin calls one of its results %q", end)
		}
	}
	last.Outcome, last.Message = summary(count, results.Item.Status)
	emit(last)
	return nil
}

// summary is what all results of a plugin amount to. That there are none, or that
// all of them skipped themselves, is nothing to rest on, though Sonobuoy says "passed" then.
func summary(count map[result.Outcome]int, status string) (result.Outcome, string) {
	said := fmt.Sprintf("%d passed, %d failed, %d could not tell, %d were skipped; Sonobuoy says %q",
		count[result.Pass], count[result.Fail], count[result.Error], count[result.Skip], status)
	switch {
	case count[result.Fail] > 0:
		return result.Fail, said
	case count[result.Error] > 0, count[result.Pass] == 0, status != sonobuoy.Passed:
		return result.Error, said
	}
	return result.Pass, ""
}

// leafCase turns a result into a case. A status that is not known is no proof
// of anything.
func leafCase(leaf sonobuoy.Leaf, env Env) result.Case {
	c := result.Case{Name: env.Sink.Text(leaf.Name), Attempt: 1}
	switch leaf.Status {
	case sonobuoy.Passed:
		c.Outcome = result.Pass
		return c
	case sonobuoy.Failed:
		c.Outcome = result.Fail
	case sonobuoy.Skipped:
		c.Outcome = result.Skip
	default:
		c.Outcome = result.Error
	}
	c.Message = env.Sink.Text(cmp.Or(leaf.Message, fmt.Sprintf("its status is %q", leaf.Status)))
	c.Log = excerpt(env.Sink.Text(leaf.Output))
	return c
}

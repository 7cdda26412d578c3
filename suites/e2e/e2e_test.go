package e2e

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/kubernetes/test/e2e/framework"
	"k8s.io/kubernetes/test/e2e/framework/config"

	"github.com/qualify-dev/qualify/suites/e2e/specs"
)

// exitUsage tells a wrong call (no kubeconfig, no image) from failed specs,
// which exit 1: a wrong call says nothing about the cluster.
const exitUsage = 2

// TestMain parses the flags, refuses a call that could test the wrong cluster
// or nothing at all, and only then lets TestE2E run.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	opts := &specs.Options{}
	if err := registerFlags(flag.CommandLine, opts); err != nil {
		fmt.Fprintln(os.Stderr, "qualify-e2e:", err)
		return exitUsage
	}
	specs.Register(opts)
	flag.Parse()

	suite, _ := ginkgo.GinkgoConfiguration()
	err := opts.Check(specs.Call{
		Flags:      flag.CommandLine,
		Kubeconfig: framework.TestContext.KubeConfig,
		Context:    framework.TestContext.KubeContext,
		DryRun:     suite.DryRun,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "qualify-e2e:", err)
		return exitUsage
	}
	if framework.TestContext.ListImages {
		// The framework would list the images of the upstream suite.
		fmt.Println(opts.AgnhostImage)
		return 0
	}
	framework.AfterReadingAllFlags(&framework.TestContext)
	return m.Run()
}

// registerFlags hides $KUBECONFIG first: the framework makes it the default
// of --kubeconfig, and a run must never reach a cluster nobody named.
func registerFlags(flags *flag.FlagSet, opts *specs.Options) error {
	if err := os.Unsetenv("KUBECONFIG"); err != nil {
		return fmt.Errorf("hiding $KUBECONFIG: %w", err)
	}
	config.CopyFlags(config.Flags, flags)
	framework.RegisterCommonFlags(flags)
	framework.RegisterClusterFlags(flags)
	opts.AddFlags(flags)
	return nil
}

// TestE2E hands over to Ginkgo. An empty selection fails: a focus that matches
// no spec must not read as a passed suite.
func TestE2E(t *testing.T) {
	gomega.RegisterFailHandler(framework.Fail)
	suite, reporter := ginkgo.GinkgoConfiguration()
	suite.RandomizeAllSpecs = true
	suite.FailOnEmpty = true
	ginkgo.RunSpecs(t, "qualify smoke suite", suite, reporter)
}

package specs

import (
	"context"
	"slices"
	"time"

	"github.com/onsi/ginkgo/v2"
	"k8s.io/kubernetes/test/e2e/framework"
	admission "k8s.io/pod-security-admission/api"
)

// hostNetwork labels the specs that need a pod in a node's network, which only
// the most permissive pod security level admits.
const hostNetwork = "host-network"

// specLimit ends a spec that hangs (a stream that never closes); the waits
// inside a spec are shorter and explain themselves.
const specLimit = ginkgo.NodeTimeout(12 * time.Minute)

// Register adds the specs to Ginkgo's tree. It is called once, before flags
// are parsed: opts is read when a spec runs. The texts are stable names, also
// listed in suites/data/smoke.txt, by which the runner knows a complete run.
func Register(opts *Options) {
	ginkgo.Describe("[qualify]", ginkgo.Label("smoke"), func() {
		var f *framework.Framework
		// Before the framework's own BeforeEach, which makes the namespace.
		ginkgo.BeforeEach(func() {
			f.NamespacePodSecurityLevel = podSecurity(ginkgo.CurrentSpecReport().Labels())
		})
		f = framework.NewDefaultFramework("qualify")
		f.DumpAllNamespaceInfo = dump
		spec := func(body func(context.Context, *env)) func(context.Context) {
			return func(ctx context.Context) { body(ctx, newEnv(f, opts.AgnhostImage)) }
		}

		ginkgo.It("Deployment rolls out a changed pod template without dropping below its replicas",
			ginkgo.Label("deployment"), specLimit, spec(deploymentRollsOut))
		ginkgo.It("Service balances over all ready endpoints and leaves out an unready and a deleted one",
			ginkgo.Label("service"), specLimit, spec(serviceFollowsReadiness))
		ginkgo.It("DNS answers for Services, headless Services and unknown names on every worker node",
			ginkgo.Label("dns"), specLimit, spec(dnsAnswers))
		ginkgo.It("Network carries TCP and UDP between pods on different nodes in both directions",
			ginkgo.Label("network", hostNetwork), specLimit, spec(networkCrossesNodes))
		ginkgo.It("Exec carries streams and exit codes, and logs follow, tail and outlive a restart",
			ginkgo.Label("exec", "logs"), specLimit, spec(execAndLogs))
		ginkgo.It("ConfigMap update reaches the mounted file of a running pod and not its environment",
			ginkgo.Label("configmap"), specLimit, spec(configMapUpdates))
		ginkgo.It("StatefulSet starts in order, names each pod in DNS and replaces one under its name",
			ginkgo.Label("statefulset"), specLimit, spec(statefulSetKeepsIdentity))
		ginkgo.It("Job counts its completions within its parallelism and reports a failure as Failed",
			ginkgo.Label("job"), specLimit, spec(jobsEnd))
		ginkgo.It("Secret appears as a file with its mode, in memory, and as an environment variable",
			ginkgo.Label("secret"), specLimit, spec(secretIsMounted))
		ginkgo.It("NodePort of every node reaches a pod on another node",
			ginkgo.Label("nodeport"), specLimit, spec(nodePortReachesPod))
	})
}

// podSecurity is the level a spec's namespace enforces: baseline, so that a
// spec that quietly begins to need more is refused by the cluster.
func podSecurity(labels []string) admission.Level {
	if slices.Contains(labels, hostNetwork) {
		return admission.LevelPrivileged
	}
	return admission.LevelBaseline
}

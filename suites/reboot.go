package suites

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
)

// The cases of the reboot suite.
const (
	workersBoot  = "[reboot] Every worker boots anew and is Ready again in time"
	controlsBoot = "[reboot] Every control plane boots anew and is Ready again in time"
	podsRun      = "[reboot] The pod of each node runs again, and is the same pod"
	diskKept     = "[reboot] What a pod wrote on its node's disk is kept"
	stateKept    = "[reboot] What the API server was given is kept"
	namesAnswer  = "[reboot] Services and their names answer from each node again"
)

// rebootTime is the time that a node has, from the order to boot until its pod
// is Ready again. Kubernetes itself waits five minutes before it moves
// pods away from a node that is gone.
const rebootTime = 5 * time.Minute

// reboot boots every node, one after the other, and looks what is left.
func reboot() Suite {
	return Suite{
		Name: "reboot",
		Doc:  "each node is booted anew, workers first: back in time, workloads back, data kept",
		Expect: func(*release.Release) ([]string, error) {
			return []string{workersBoot, controlsBoot, podsRun, diskKept, stateKept, namesAnswer}, nil
		},
		Run: runReboot,
	}
}

// rebooting is one run of the suite.
type rebooting struct {
	control cluster.Node // asks the API server
	image   string       // agnhost
	name    string       // of the namespace
	token   string       // what is written, and read again
	within  time.Duration
	pause   time.Duration
	wrong   map[string][]string // by case, why it did not pass
	booted  map[string][]string // by case, the nodes that came back and how soon
}

func runReboot(ctx context.Context, env Env, emit func(result.Case)) error {
	return rebootAll(ctx, env, rebootTime, 2*time.Second, emit)
}

func rebootAll(ctx context.Context, env Env, within, pause time.Duration, emit func(result.Case)) (err error) {
	nodes := env.Cluster.Nodes
	at := slices.IndexFunc(nodes, func(n cluster.Node) bool { return n.Role == cluster.ControlPlane })
	if at < 0 {
		return errors.New("the reboot suite needs a control plane that it can reach: this cluster's nodes cannot be")
	}
	for _, n := range nodes {
		if n.Restart == nil {
			return fmt.Errorf("the reboot suite boots nodes anew, and node %s cannot be: its provisioner has no way to", n.Name)
		}
	}
	image, err := env.Release.Asset("agnhost-image")
	if err != nil {
		return fmt.Errorf("the reboot suite runs agnhost: %w", err)
	}
	r := rebooting{
		control: nodes[at], image: image.URI, name: "qualify-reboot-" + strings.ToLower(rand.Text()[:6]), token: rand.Text(),
		within: within, pause: pause, wrong: map[string][]string{}, booted: map[string][]string{},
	}
	start := time.Now()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if _, cleaning := r.kubectl(ctx, "", "delete", "namespace", r.name, "--ignore-not-found", "--wait=false"); cleaning != nil && err == nil {
			err = fmt.Errorf("removing the suite's namespace: %w", cleaning)
		}
	}()
	if err := r.prepare(ctx, nodes); err != nil {
		return fmt.Errorf("before anything was booted: %w", err)
	}
	for _, role := range []cluster.Role{cluster.Worker, cluster.ControlPlane} {
		for _, n := range nodes {
			if n.Role != role {
				continue
			}
			if err := r.node(ctx, n, map[cluster.Role]string{cluster.Worker: workersBoot, cluster.ControlPlane: controlsBoot}[role]); err != nil {
				return err
			}
		}
	}
	for _, name := range env.Expected {
		emit(r.result(name, time.Since(start).Seconds()))
	}
	return nil
}

// result is a case as it came out.
func (r *rebooting) result(name string, seconds float64) result.Case {
	c := result.Case{Name: name, Attempt: 1, Outcome: result.Pass, Seconds: seconds, Log: strings.Join(r.booted[name], "\n")}
	switch {
	case len(r.wrong[name]) > 0:
		c.Outcome, c.Message = result.Fail, strings.Join(r.wrong[name], "\n")
	case len(r.booted[name]) == 0: // nothing was looked at
		c.Outcome, c.Message = result.Skip, "there is no such node"
	}
	return c
}

// kubectl asks the API server by the release's own kubectl, where it is.
func (r *rebooting) kubectl(ctx context.Context, input string, args ...string) (string, error) {
	cmd := cluster.Command(append([]string{"kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=20s"}, args...)...)
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	out, err := r.control.Exec(ctx, cmd)
	return strings.TrimSpace(string(out.Stdout)), err
}

// workload has a pod on each node, with a place on the node's disk, and
// something that only the API server holds.
func (r *rebooting) workload() string {
	return fmt.Sprintf(`apiVersion: v1
kind: Namespace
metadata: {name: %[1]s}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kept, namespace: %[1]s}
data: {token: %[2]q}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web, namespace: %[1]s}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      tolerations: [{operator: Exists}]
      containers:
      - name: web
        image: %[3]q
        imagePullPolicy: IfNotPresent
        args: [netexec, --http-port=8080]
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
        volumeMounts: [{name: disk, mountPath: /disk}]
      volumes: [{name: disk, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: %[1]s}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
`, r.name, r.token, r.image)
}

// prepare sets the workload up and has each pod write to its disk.
func (r *rebooting) prepare(ctx context.Context, nodes []cluster.Node) error {
	if _, err := r.kubectl(ctx, r.workload(), "apply", "-f", "-"); err != nil {
		return err
	}
	for _, n := range nodes {
		err := r.until(ctx, func() error {
			_, err := r.pod(ctx, n.Name)
			return err
		})
		if err != nil {
			return fmt.Errorf("the pod of node %s: %w", n.Name, err)
		}
		p, err := r.pod(ctx, n.Name)
		if err != nil {
			return err
		}
		if _, err := r.kubectl(ctx, "", "exec", "-n", r.name, p.name, "--", "sh", "-c", "echo "+r.token+" > /disk/token && sync"); err != nil {
			return err
		}
	}
	return nil
}

// lastingPod is the pod of a node, which is Ready.
type lastingPod struct{ name, uid, container string }

func (r *rebooting) pod(ctx context.Context, node string) (lastingPod, error) {
	const fields = `{range .items[*]}{.metadata.name} {.metadata.uid} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].ready}{"\n"}{end}`
	out, err := r.kubectl(ctx, "", "get", "pods", "-n", r.name, "-l", "app=web", "--field-selector", "spec.nodeName="+node, "-o", "jsonpath="+fields)
	if err != nil {
		return lastingPod{}, err
	}
	said := strings.Fields(out)
	if len(said) != 4 || said[3] != "true" {
		return lastingPod{}, fmt.Errorf("no pod is ready on node %s: %q", node, out)
	}
	return lastingPod{said[0], said[1], said[2]}, nil
}

// until does something again until it succeeds, or the time is up.
func (r *rebooting) until(ctx context.Context, do func() error) error {
	end := time.Now().Add(r.within)
	for {
		err := do()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if time.Now().After(end) {
			return fmt.Errorf("not within %s: %w", r.within, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(r.pause):
		}
	}
}

// node boots one node and looks at everything. The error is a node that did
// not come back at all: that is no fault that one could see of the release.
func (r *rebooting) node(ctx context.Context, n cluster.Node, booting string) error {
	before, err := r.pod(ctx, n.Name)
	if err != nil {
		return err
	}
	was, err := cluster.Boot(ctx, n)
	if err != nil {
		return err
	}
	start := time.Now()
	within, cancel := context.WithTimeoutCause(ctx, r.within, fmt.Errorf("node %s was not back within %s", n.Name, r.within))
	defer cancel()
	if err := n.Restart(within); err != nil {
		return fmt.Errorf("booting node %s: %w", n.Name, err)
	}
	now, err := cluster.Boot(ctx, n)
	if err != nil {
		return err
	}
	if now == was {
		return fmt.Errorf("node %s was to boot anew, and is in the boot of before", n.Name)
	}
	var after lastingPod
	err = r.until(ctx, func() (err error) {
		ready, err := r.kubectl(ctx, "", "get", "node", n.Name, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		if err == nil && ready != "True" {
			err = fmt.Errorf("node %s has Ready %q", n.Name, ready)
		}
		if err != nil {
			return err
		}
		after, err = r.pod(ctx, n.Name)
		if err == nil && after.container == before.container {
			err = fmt.Errorf("pod %s on node %s is still said to be in the container that ended with the boot", after.name, n.Name)
		}
		return err
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	took := time.Since(start)
	if err == nil && took > r.within {
		err = fmt.Errorf("it took %s", took.Round(time.Second))
	}
	r.saw(booting, n, took, err)
	if err != nil { // what is not there cannot be asked
		for _, name := range []string{podsRun, diskKept, stateKept, namesAnswer} {
			r.saw(name, n, took, errors.New("it did not come back in time"))
		}
		return nil
	}
	r.look(ctx, n, before, after, took)
	return ctx.Err()
}

// look sees what a node that is back has kept.
func (r *rebooting) look(ctx context.Context, n cluster.Node, before, after lastingPod, took time.Duration) {
	var err error
	if before.uid != after.uid {
		err = fmt.Errorf("pod %s was replaced by %s", before.name, after.name)
	}
	r.saw(podsRun, n, took, err)
	wants := func(name string, args ...string) {
		got := ""
		err := r.until(ctx, func() (err error) {
			got, err = r.kubectl(ctx, "", args...)
			return err
		})
		if err == nil && got != r.token {
			err = fmt.Errorf("what was written is gone: it reads %q", got)
		}
		r.saw(name, n, took, err)
	}
	wants(diskKept, "exec", "-n", r.name, after.name, "--", "cat", "/disk/token")
	wants(stateKept, "get", "configmap", "kept", "-n", r.name, "-o", "jsonpath={.data.token}")
	for _, service := range []string{"kubernetes.default.svc.cluster.local:443", "web." + r.name + ".svc.cluster.local:80"} {
		err := r.until(ctx, func() error {
			_, err := r.kubectl(ctx, "", "exec", "-n", r.name, after.name, "--", "/agnhost", "connect", "--timeout=3s", service)
			return err
		})
		r.saw(namesAnswer, n, took, err)
	}
}

// saw notes what came of one node in a case.
func (r *rebooting) saw(name string, n cluster.Node, took time.Duration, err error) {
	if err != nil {
		r.wrong[name] = append(r.wrong[name], fmt.Sprintf("node %s: %v", n.Name, err))
		return
	}
	r.booted[name] = append(r.booted[name], fmt.Sprintf("node %s: as it should be, %.0f s after the order to boot", n.Name, took.Seconds()))
}

package suites

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/cncf"
	"github.com/qualify-dev/qualify/internal/ginkgo"
	"github.com/qualify-dev/qualify/internal/inpod"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
)

// Image is a container image that a suite brings to the cluster.
type Image struct {
	Ref    string // what pods call it
	Digest string // "sha256:…"
	File   string // OCI archive
}

// pod has the specs run by the release's conformance image, in the cluster: no
// more than the API server's address has to be reached from here, and now and
// then.
func pod() Backend {
	return Backend{Name: "pod", Doc: "the release's conformance image as a pod of the cluster, which goes on when the connection is lost", run: runInPod}
}

func runInPod(ctx context.Context, env Env, j job, report func(result.Case)) error {
	image, node, err := env.place(ctx, env.Conformance)
	if err != nil {
		return err
	}
	program, err := release.SHA256(j.binary)
	if err != nil {
		return err
	}
	settings := j.settings(env)
	files, err := inpod.Run{
		Kubeconfig: env.Cluster.Kubeconfig, Lease: env.Cluster.Name, Job: jobID(env, j, image), Try: j.try,
		Image: image.Ref, Node: node, Program: program, Env: settings, Progress: env.progress(len(j.names)), Times: env.podTimes,
	}.Execute(ctx)
	if err != nil {
		return err
	}
	return take(env, j, ran{files.JUnit, files.Log, files.ExitCode}, report)
}

// settings are the variables by which the conformance image is told what to
// run. E2E_PARALLEL stays off: it makes the image leave out what is [Serial],
// without a word. Ginkgo itself keeps these apart when it has several processes.
func (j job) settings(env Env) map[string]string {
	focus := j.focus
	if focus == "" {
		focus = ginkgo.Focus(j.listing.Suite, j.names)
	}
	procs := env.Procs
	if j.alone {
		procs = 1
	}
	return map[string]string{
		"E2E_FOCUS": focus, "E2E_SKIP": "", "E2E_PARALLEL": "1", "E2E_PROVIDER": "skeleton", "E2E_USE_GO_RUNNER": "true",
		"E2E_EXTRA_GINKGO_ARGS": "-v --procs=" + strconv.Itoa(max(procs, 1)),
		"E2E_EXTRA_ARGS":        "--dump-logs-on-failure=true --max-nodes-to-gather-from=0",
	}
}

// jobID names what a pod runs. It is the same in a process that goes on with
// the suite, which has less left to be shown.
func jobID(env Env, j job, image Image) string {
	all := j.names
	if j.try == 1 {
		all = slices.Concat(env.Expected, env.Shown)
	}
	all = slices.Compact(slices.Sorted(slices.Values(all)))
	sum := sha256.Sum256([]byte(strings.Join(append([]string{image.Digest, strconv.Itoa(j.try), strconv.FormatBool(j.alone)}, all...), "\n")))
	return hex.EncodeToString(sum[:])
}

// place brings an image to a node, and says to which; where the nodes cannot be
// reached, the cluster has to have it, or to know where to pull it from.
func (e Env) place(ctx context.Context, which func(context.Context) (Image, error)) (Image, string, error) {
	image, err := which(ctx)
	if err != nil {
		return Image{}, "", err
	}
	nodes := e.Cluster.Nodes
	if e.Cluster.Foreign || len(nodes) == 0 {
		return image, "", nil
	}
	at := nodes[0]
	for _, n := range nodes {
		if n.Role == cluster.Worker {
			at = n
			break
		}
	}
	return image, at.Name, e.load(ctx, image, at)
}

func (e Env) load(ctx context.Context, image Image, nodes ...cluster.Node) error {
	for _, n := range nodes {
		if err := cluster.Load(ctx, n, image.Ref, image.Digest, func() (io.ReadCloser, error) { return os.Open(image.File) }); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	return nil
}

// progress tells now and then how far a suite is that reports at its end.
func (e Env) progress(all int) func(int) {
	if e.Say == nil || all == 0 {
		return nil
	}
	const parts = 10
	told := 0
	return func(ended int) {
		if part := min(ended, all) * parts / all; part > told {
			told = part
			e.Say(fmt.Sprintf("in the cluster, %d of %d specs have ended", ended, all))
		}
	}
}

// ran is what a suite has left that reports at its end.
type ran struct {
	junit, log []byte
	exitCode   int
}

// take keeps the files and reports the cases in them. The files have to stand for one whole
// run of exactly the job's specs, and to agree with each other and with the exit
// code; where they do not, what they do agree about is reported all the same.
func take(env Env, j job, files ran, report func(result.Case)) error {
	suffix := ""
	if j.try > 1 {
		suffix = fmt.Sprintf(".try%d", j.try)
	}
	for name, data := range map[string][]byte{cncf.LogFile: files.log, cncf.JUnitFile: files.junit} {
		ext := filepath.Ext(name)
		if err := env.Sink.WriteFile(filepath.Join(env.Dir, strings.TrimSuffix(name, ext)+suffix+ext), data); err != nil {
			return fmt.Errorf("keeping %s: %w", name, err)
		}
	}
	found, err := cncf.ReadRun(bytes.NewReader(files.junit), bytes.NewReader(files.log), j.names, env.Release.Kubernetes())
	if err != nil {
		return err
	}
	bad := false
	for _, c := range found.Cases {
		bad = bad || c.Outcome != result.Pass && c.Outcome != result.Skip
		c.Message, c.Log = env.Sink.Text(c.Message), excerpt(env.Sink.Text(c.Log))
		report(c)
	}
	if len(found.Broken) == 0 && bad == (files.exitCode == 0) {
		found.Broken = append(found.Broken, fmt.Sprintf("exit code %d does not fit what the tests say", files.exitCode))
	}
	if len(found.Broken) > 0 {
		return errors.New("the results contradict themselves: " + strings.Join(found.Broken, "; "))
	}
	return nil
}

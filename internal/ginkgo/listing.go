package ginkgo

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/qualify-dev/qualify/internal/scratch"
)

// Listing is what a test binary says that it has. Processes that are started
// with its seed have the specs in its order.
type Listing struct {
	Suite string   // the suite's description
	Specs []string // full texts of the specs that would run, sorted
	seed  string
	// groups are the specs that are handed out together by one index, those
	// that nobody selected among them; serial are those that process 1 runs when
	// the others have ended.
	groups [][]string
	serial []string
}

// List returns the binary's suite and the specs that it would run of those
// that a focus selects. It needs no cluster.
func (r Run) List(ctx context.Context, focus string) (Listing, error) {
	seed := strconv.FormatUint(uint64(rand.Uint32()), 10) //nolint:gosec // nothing secret depends on it
	reports, err := r.dryRun(ctx, focus, seed)
	if err != nil {
		return Listing{}, fmt.Errorf("listing the specs of %s: %w", filepath.Base(r.Binary), err)
	}
	if len(reports) != 1 {
		return Listing{}, fmt.Errorf("listing the specs of %s: it has %d suites, want one", filepath.Base(r.Binary), len(reports))
	}
	l := Listing{Suite: reports[0].SuiteDescription, seed: seed}
	var before *types.SpecReport
	for i, spec := range reports[0].SpecReports {
		if !spec.LeafNodeType.Is(types.NodeTypeIt) {
			continue
		}
		name := spec.FullText()
		if spec.State.Is(types.SpecStatePassed) {
			l.Specs = append(l.Specs, name)
		}
		switch n := len(l.groups); {
		case alone(spec):
			l.serial = append(l.serial, name)
		case before != nil && together(*before, spec):
			l.groups[n-1] = append(l.groups[n-1], name)
		default:
			l.groups = append(l.groups, []string{name})
		}
		before = &reports[0].SpecReports[i]
	}
	slices.Sort(l.Specs) // the binary's own order is as random as its seed
	return l, nil
}

// Companions are the specs that stand in one ordered container with one of
// these, each in its place, and these themselves: what comes later there means
// nothing without what came before. Only companions among others count.
func (l Listing) Companions(specs, others []string) []string {
	may, have := map[string]bool{}, map[string]bool{}
	for _, name := range others {
		may[name] = true
	}
	for _, name := range specs {
		have[name] = true
	}
	all := slices.Clone(specs)
	for _, group := range l.groups {
		if !slices.ContainsFunc(group, func(name string) bool { return have[name] }) {
			continue
		}
		for _, name := range group {
			if may[name] && !have[name] {
				all = append(all, name)
			}
		}
	}
	return all
}

// alone tells whether a spec runs when all others have ended. Before 2.27
// Ginkgo does not write it down; of Kubernetes' specs a label and their text say
// so. Where they do not say the truth, the dealer finds out.
func alone(spec types.SpecReport) bool {
	return spec.IsSerial || slices.Contains(spec.Labels(), "Serial") || strings.Contains(spec.FullText(), "[Serial]")
}

// together tells whether two specs, one after the other, are of one ordered
// container. Reports do not say which of the containers around a spec is the
// ordered one. But all groups are shuffled, so that two of them come to stand
// side by side by chance alone; the server finds out if they did.
func together(a, b types.SpecReport) bool {
	if !a.IsInOrderedContainer || !b.IsInOrderedContainer || alone(a) || alone(b) {
		return false
	}
	outer := func(r types.SpecReport) string {
		if len(r.ContainerHierarchyLocations) == 0 {
			return ""
		}
		return r.ContainerHierarchyLocations[0].String() + r.ContainerHierarchyTexts[0]
	}
	return outer(a) != "" && outer(a) == outer(b)
}

func (r Run) dryRun(ctx context.Context, focus, seed string) ([]types.Report, error) {
	dir, remove, err := scratch.Dir("list")
	if err != nil {
		return nil, err
	}
	defer func() { _ = remove() }()
	file := filepath.Join(dir, "report.json")
	list := append([]string{"--ginkgo.dry-run", "--ginkgo.no-color", "--ginkgo.succinct", "--ginkgo.json-report=" + file}, ordered(seed)...)
	if focus != "" {
		list = append(list, "--ginkgo.focus="+focus)
	}
	cmd := command(ctx, r.Binary, append(list, r.Args...)...)
	cmd.Env = append(cmd.Env, "TMPDIR="+dir)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	reap(cmd)
	// Before it is cut: a half of a secret is not known for one.
	said := gist(r.Sink.Text(string(out)))
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, said)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, said)
	}
	var reports []types.Report
	return reports, json.Unmarshal(data, &reports)
}

// ordered are the flags with which each process has the specs in the same
// order.
func ordered(seed string) []string {
	return []string{"--ginkgo.seed=" + seed, "--ginkgo.randomize-all"}
}

package kind

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
)

// The labels on everything that this provisioner makes. They are stamped in
// the very call that makes a resource, so there is never an unlabelled one.
const (
	labelLease   = "dev.qualify.lease"
	labelRun     = "dev.qualify.run"
	labelCell    = "dev.qualify.cell"
	labelOwner   = "dev.qualify.owner"
	labelExpires = "dev.qualify.expires"
	labelHome    = "dev.qualify.home"  // the run's directory, see provision.Lease
	labelCache   = "dev.qualify.cache" // node images: kept between runs, owned by nobody
)

func leaseLabels(l provision.Lease) map[string]string {
	return map[string]string{
		labelLease: l.Name, labelRun: l.Run, labelCell: l.Cell, labelOwner: l.Owner,
		labelExpires: l.Expires.UTC().Format(time.RFC3339), labelHome: l.Home,
	}
}

// quoteLabel quotes a value for a LABEL instruction, which knows just these
// three escapes and would put in variables otherwise.
func quoteLabel(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(value) + `"`
}

// resourceKinds are what a lease can own, in an order in which they can be
// removed: containers hold networks and images.
var resourceKinds = []string{"container", "network", "image"}

// list returns everything that carries a label, e.g. "dev.qualify.lease" or
// "dev.qualify.lease=q-1".
func list(ctx context.Context, filter string) ([]provision.Resource, error) {
	var all []provision.Resource
	for _, kind := range resourceKinds {
		args := []string{kind, "ls", "--quiet", "--no-trunc", "--filter", "label=" + filter}
		// Not for images: that would list the layers below node images too,
		// which are nobody's to remove as long as something stands on them.
		if kind == "container" {
			args = append(args, "--all")
		}
		out, err := docker(ctx, args...)
		if err != nil {
			return nil, fmt.Errorf("listing %ss: %w", kind, err)
		}
		for _, id := range lines(out) {
			r, err := inspect(ctx, kind, id)
			if isAbsent(err) {
				continue // removed since the listing
			}
			if err != nil {
				return nil, err
			}
			// Finished node images carry the label of their build, emptied.
			if r.Lease.Name != "" {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// inspected are the fields that the engine's three answers have in common.
type inspected struct {
	ID       string `json:"Id"`
	Name     string
	RepoTags []string
	Created  time.Time
	Labels   map[string]string
	Config   struct{ Labels map[string]string }
}

func inspect(ctx context.Context, kind, id string) (provision.Resource, error) {
	out, err := docker(ctx, kind, "inspect", id)
	if err != nil {
		return provision.Resource{}, fmt.Errorf("inspecting %s %s: %w", kind, id, err)
	}
	var answer []inspected
	if err := json.Unmarshal([]byte(out), &answer); err != nil || len(answer) != 1 {
		return provision.Resource{}, fmt.Errorf("inspecting %s %s: the engine's answer is not understood: %v", kind, id, err)
	}
	in := answer[0]
	labels := in.Config.Labels
	if kind == "network" {
		labels = in.Labels
	}
	r := provision.Resource{Kind: kind, ID: in.ID, Name: strings.TrimPrefix(in.Name, "/"), Created: in.Created}
	if kind == "image" {
		r.Name = in.ID // of an image that lost its name to another
		if len(in.RepoTags) > 0 {
			r.Name = in.RepoTags[0]
		}
	}
	r.Lease = provision.Lease{Name: labels[labelLease], Run: labels[labelRun], Cell: labels[labelCell], Owner: labels[labelOwner], Home: labels[labelHome]}
	// An unreadable expiry stays zero: gc treats such a lease as known only
	// through its run, never as expired by date.
	r.Lease.Expires, _ = time.Parse(time.RFC3339, labels[labelExpires])
	return r, nil
}

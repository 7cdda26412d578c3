package cluster

import (
	"context"
	"strings"
)

// Images lists the images that a node's containerd holds for Kubernetes: the
// digest of each, "sha256:…", by its reference.
func Images(ctx context.Context, t Transport) (map[string]string, error) {
	out, err := t.Exec(ctx, Command("ctr", "-n", "k8s.io", "images", "ls"))
	if err != nil {
		return nil, err
	}
	held := map[string]string{}
	for line := range strings.Lines(string(out.Stdout)) { // reference, type, digest, …
		if fields := strings.Fields(line); len(fields) >= 3 && strings.HasPrefix(fields[2], "sha256:") {
			held[fields[0]] = fields[2]
		}
	}
	return held, nil
}

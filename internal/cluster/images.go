package cluster

import (
	"context"
	"fmt"
	"io"
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

// Load makes sure that a node's containerd holds an image, by reference and
// digest. The archive is opened where it does not yet.
func Load(ctx context.Context, t Transport, ref, digest string, open func() (io.ReadCloser, error)) error {
	held, err := Images(ctx, t)
	if err != nil || held[ref] == digest {
		return err
	}
	archive, err := open()
	if err != nil {
		return fmt.Errorf("loading image %s: %w", ref, err)
	}
	defer archive.Close()
	if _, err := t.Exec(ctx, Cmd{Argv: []string{"ctr", "-n", "k8s.io", "images", "import", "-"}, Stdin: archive}); err != nil {
		return fmt.Errorf("loading image %s: %w", ref, err)
	}
	if held, err = Images(ctx, t); err != nil {
		return err
	}
	if held[ref] != digest {
		return fmt.Errorf("loading image %s: the node has digest %q afterwards, want %s", ref, held[ref], digest)
	}
	return nil
}

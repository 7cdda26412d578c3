package release

import (
	"context"
	"debug/buildinfo"
	"strings"

	"golang.org/x/mod/semver"
)

// Toolchain returns the Go version that built Kubernetes, e.g. "go1.26.3", as
// the kubelet says it; "" where the store has no kubelet of the release yet.
func (s *Store) Toolchain(ctx context.Context, r *Release) string {
	for _, name := range []string{"bin/linux/amd64/kubelet", "bin/linux/arm64/kubelet"} {
		path, ok := s.Held(ctx, r, name)
		if !ok {
			continue
		}
		// Not from a program that is run: a Go program carries it as data.
		if info, err := buildinfo.ReadFile(path); err == nil {
			return info.GoVersion
		}
	}
	return ""
}

// WithToolchains adds the step between two Go versions, where both are known.
func (d Difference) WithToolchains(from, to string) Difference {
	d.Go = Versions{From: from, To: to, Step: OtherStep}
	plain := func(v string) string {
		v, _, _ = strings.Cut("v"+strings.TrimPrefix(v, "go"), " ")
		return semver.Canonical(v)
	}
	if a, b := plain(from), plain(to); a != "" && b != "" {
		d.Go = versions(a, b)
		d.Go.From, d.Go.To = from, to
	}
	if from == to {
		d.Go.Step = NoStep
	}
	return d
}

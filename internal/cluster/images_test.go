package cluster

import (
	"context"
	"maps"
	"strings"
	"testing"
)

// says answers each command with one text.
type says struct {
	Transport
	text string
}

func (s says) Exec(context.Context, Cmd) (Output, error) { return Output{Stdout: []byte(s.text)}, nil }

func TestImages(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	table := "REF TYPE DIGEST SIZE PLATFORMS LABELS\n" +
		"registry.example/etcd:3.6 application/vnd.oci.image.index.v1+json " + digest + " 21.2 MiB linux/amd64 io.cri-containerd.image=managed\n" +
		digest + " application/x " + digest + " 1.0 KiB - -\n" +
		"half\nregistry.example/odd:1 application/x md5:1 1.0 KiB\n\n"
	got, err := Images(t.Context(), says{text: table})
	if want := map[string]string{"registry.example/etcd:3.6": digest, digest: digest}; err != nil || !maps.Equal(got, want) {
		t.Errorf("digests %v, %v, want %v", got, err, want)
	}
	if got, err := Images(t.Context(), says{}); err != nil || len(got) != 0 {
		t.Errorf("digests of nothing: %v, %v", got, err)
	}
}

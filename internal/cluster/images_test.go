package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// holds is a node whose containerd takes what is imported into it.
type holds struct {
	Transport
	held     *string // digest of x:1
	imported string  // what an import makes of it
}

func (h holds) Exec(_ context.Context, c Cmd) (Output, error) {
	if c.Stdin != nil {
		data, err := io.ReadAll(c.Stdin)
		if err != nil || string(data) != "archive" {
			return Output{}, fmt.Errorf("imported %q, %w", data, err)
		}
		*h.held = h.imported
	}
	return Output{Stdout: []byte("x:1 application/x " + *h.held + " 1 KiB\n")}, nil
}

func TestLoad(t *testing.T) {
	digest, other := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	absent := errors.New("no archive")
	for name, c := range map[string]struct {
		held, imported string
		archive        error
		opened         bool
		want           string
	}{
		"it is there":         {digest, "", nil, false, ""},
		"it is not":           {"", digest, nil, true, ""},
		"another is":          {other, digest, nil, true, ""},
		"another is imported": {"", other, nil, true, "the node has digest \"" + other},
		"none is imported":    {"", "", nil, true, "want " + digest},
		"there is no archive": {"", "", absent, true, "no archive"},
	} {
		held, opened := c.held, false
		err := Load(t.Context(), holds{held: &held, imported: c.imported}, "x:1", digest, func() (io.ReadCloser, error) {
			opened = true
			return io.NopCloser(strings.NewReader("archive")), c.archive
		})
		if opened != c.opened || (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: opened %v, %v", name, opened, err)
		}
	}
}

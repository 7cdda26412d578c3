package report

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestSamplesForTheEye writes pages to look at: SAMPLES=dir go test -run Eye.
func TestSamplesForTheEye(t *testing.T) {
	dir := os.Getenv("SAMPLES")
	if dir == "" {
		t.Skip("SAMPLES is not set")
	}
	ins := samples()
	ins["big"] = bigRun(4, 400)
	for name, in := range ins {
		var b bytes.Buffer
		if err := WriteHTML(&b, Build(in)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".html"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

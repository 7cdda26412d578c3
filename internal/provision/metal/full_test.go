package metal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/provision"
)

// A disk that gets full under any of the steps that write is told with the
// host's words, blames nobody, and is as it was when there is space again.
func TestTheDiskIsFullAtEachStep(t *testing.T) {
	for step, text := range map[string]string{"claim": "lease.json", "stage": "cat >>", "settings": `umask 077; cat > "$2"`} {
		t.Run(step, func(t *testing.T) {
			f := newShams(t, 2)
			before := f.files(t)
			full := filepath.Join(f.hosts[1].root, "fault-cat")
			f.hosts[1].at(text, func() { write(t, full, "") })
			lease := testLease("q-full")
			_, err := f.instance(t).Up(soon(t), lease, f.spec(t.TempDir()))
			var product *provision.ProductError
			if err == nil || errors.As(err, &product) || !strings.Contains(err.Error(), "No space left on device") || !strings.Contains(err.Error(), "h1") {
				t.Errorf("up: %v", err)
			}
			if err := os.Remove(full); err != nil {
				t.Fatal(err)
			}
			if err := f.instance(t).Down(soon(t), lease); err != nil {
				t.Errorf("down: %v", err)
			}
			f.unchanged(t, before)
		})
	}
}

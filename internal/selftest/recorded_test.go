package selftest

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/qualify-dev/qualify/internal/result"
)

var update = flag.Bool("update", false, "give the recorded run the fields that plans have now")

// The recorded run is as one would be recorded now. It cannot be made without a
// cluster; what a plan has more by now is put in, and bound to the journal as a
// runner does it.
func TestRecordedIsAsOneOfNow(t *testing.T) {
	r, err := Recorded()
	if err != nil {
		t.Fatal(err)
	}
	d, err := open(r)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		d.plan.Policy = result.DefaultPolicy()
		renewed, _, err := d.close(r, bound)
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{"plan.json": renewed.Plan, "journal.jsonl": renewed.Journal} {
			if err := os.WriteFile(filepath.Join("recorded", name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !reflect.DeepEqual(d.plan.Policy, result.DefaultPolicy()) {
		t.Errorf("its policy is %+v: go test -run Recorded -update puts the default in", d.plan.Policy)
	}
	if err := d.plan.Check(); err != nil && !*update {
		t.Error(err)
	}
}

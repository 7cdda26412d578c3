// Package all is the list of provisioners: adding one is a line here. It
// holds no code of any of them.
package all

import (
	"fmt"
	"strings"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/existing"
	"github.com/qualify-dev/qualify/internal/provision/kind"
	"github.com/qualify-dev/qualify/internal/provision/metal"
)

// Entries lists the provisioners, in the order in which they are shown. The
// fake is not among them: no verdict may rest on it.
func Entries() []provision.Entry {
	return []provision.Entry{
		kind.Entry(),
		metal.Entry(),
		existing.Entry(),
	}
}

// Find returns the entry with a name.
func Find(name string) (provision.Entry, error) {
	var known []string
	for _, e := range Entries() {
		if e.Name == name {
			return e, nil
		}
		known = append(known, e.Name)
	}
	return provision.Entry{}, fmt.Errorf("unknown provisioner %q: known are %s", name, strings.Join(known, ", "))
}

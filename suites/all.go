package suites

import (
	"fmt"
	"strings"
)

// All lists the suites. Adding one is a file and a line here.
func All() []Suite {
	return []Suite{
		smoke(),
		conformance(),
		reboot(),
	}
}

// Find returns the suite with a name.
func Find(name string) (Suite, error) {
	if IsPlugin(name) {
		return plugin(name), nil
	}
	var known []string
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
		known = append(known, s.Name)
	}
	return Suite{}, fmt.Errorf("unknown suite %q: known are %s", name, strings.Join(known, ", "))
}

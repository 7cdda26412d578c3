package sonobuoy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vmware-tanzu/sonobuoy/pkg/client/results"
)

// Leaf is one result of a plugin.
type Leaf struct {
	Name    string
	Status  string // "passed", "failed", "skipped", or what else the plugin says
	Message string
	Output  string
}

// What a leaf can say that is understood.
const (
	Passed  = results.StatusPassed
	Failed  = results.StatusFailed
	Skipped = results.StatusSkipped
)

const (
	mostLeaves = 50_000
	mostDepth  = 32
)

// Leaves are the single results of a plugin, each under a name of its own. Results of several
// nodes have the node before their name, without what differs from run to run. An empty
// file, suite or node is a result that is missing, and is told as one of no known status: Sonobuoy
// calls a suite without tests passed.
func (r Results) Leaves(lease string) ([]Leaf, error) {
	var all []Leaf
	var walk func(item Item, node, parent string, depth int) error
	walk = func(item Item, node, parent string, depth int) error {
		if depth > mostDepth || len(all) > mostLeaves {
			return errors.New("the plugin's results are too deep, or too many")
		}
		kind := item.Metadata[results.MetadataTypeKey]
		if kind == results.MetadataTypeNode && item.Name != "global" {
			node = strings.TrimPrefix(item.Name, lease+"-") + ": "
		}
		for _, child := range item.Items {
			if err := walk(child, node, kind, depth+1); err != nil {
				return err
			}
		}
		if len(item.Items) > 0 {
			return nil
		}
		leaf := Leaf{Name: node + item.Name, Status: item.Status}
		switch {
		case depth == 0:
			return errors.New("the plugin has no results")
		case r.suites && parent == results.MetadataTypeFile, kind == results.MetadataTypeNode, kind == results.MetadataTypeSummary, kind == results.MetadataTypeFile && item.Status == Passed:
			leaf.Status, leaf.Message = "empty", "there are no tests in it" // that a file is there proves nothing
		default:
			leaf.Message, leaf.Output = detail(item, results.MetadataDetailsFailure, "error"), detail(item, results.MetadataDetailsOutput, "system-out")
		}
		all = append(all, leaf)
		return nil
	}
	if err := walk(r.Item, "", "", 0); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, leaf := range all {
		if leaf.Name == "" || names[leaf.Name] {
			return nil, fmt.Errorf("the plugin has two results of the name %.200q, or one without a name: nobody could tell them apart", leaf.Name)
		}
		names[leaf.Name] = true
	}
	slices.SortFunc(all, func(a, b Leaf) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func detail(item Item, names ...string) string {
	for _, name := range names {
		if text, ok := item.Details[name]; ok {
			return strings.TrimSpace(fmt.Sprint(text))
		}
	}
	return ""
}

package ginkgo

import (
	"testing"

	"github.com/onsi/ginkgo/v2/types"
)

// Which specs run alone is read from what each version of Ginkgo writes down.
func TestAlone(t *testing.T) {
	for _, c := range []struct {
		name string
		spec types.SpecReport
		want bool
	}{
		{"new Ginkgo", types.SpecReport{LeafNodeText: "x", IsSerial: true}, true},
		{"a label", types.SpecReport{LeafNodeText: "x", LeafNodeLabels: []string{"Serial"}}, true},
		{"a container's label", types.SpecReport{LeafNodeText: "x", ContainerHierarchyLabels: [][]string{{"Slow"}, {"Serial"}}}, true},
		{"the text", types.SpecReport{LeafNodeText: "x", ContainerHierarchyTexts: []string{"[sig-apps] DaemonSet [Serial]"}}, true},
		{"another", types.SpecReport{LeafNodeText: "is not [Serialized]", LeafNodeLabels: []string{"Serialized"}}, false},
	} {
		if got := alone(c.spec); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	inOrder := types.SpecReport{
		IsInOrderedContainer: true, ContainerHierarchyTexts: []string{"c"}, ContainerHierarchyLocations: []types.CodeLocation{{FileName: "f", LineNumber: 1}},
	}
	if serial := inOrder; !together(inOrder, inOrder) {
		t.Error("two of one container are not together")
	} else if serial.IsSerial = true; together(inOrder, serial) || together(serial, inOrder) || together(types.SpecReport{}, inOrder) {
		t.Error("they are together whatever they are")
	}
}

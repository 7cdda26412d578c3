// Package stricttest holds a reader of files against the JSON Schema that is
// published for editors: what one accepts the other does.
package stricttest

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

// Schema reads a JSON Schema.
func Schema(file string) (*jsonschema.Schema, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(data, &schema); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return &schema, nil
}

// Plain is a YAML file as an editor's validator sees it: the JSON data model,
// dates as texts (YAML 1.2).
func Plain(data []byte) (any, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	return plainNode(doc.Content[0])
}

func plainNode(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			value, err := plainNode(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			object[n.Content[i].Value] = value
		}
		return object, nil
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			value, err := plainNode(item)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	}
	switch n.Tag {
	case "!!null", "!!int", "!!float", "!!bool":
		var value any
		err := n.Decode(&value)
		return value, err
	}
	return n.Value, nil
}

// Agree draws a damaged form of a good file and fails where the schema accepts
// what the loader refuses, or the other way. It tells whether both refused it.
func Agree(t *rapid.T, good string, schema *jsonschema.Resolved, load func([]byte) error) (refused bool) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(good), &doc); err != nil {
		t.Fatal(err)
	}
	what := damage(t, doc.Content[0])
	text, err := yaml.Marshal(&doc)
	if err != nil {
		t.Skip(err) // e.g. a list with the odd number of a mapping's nodes
	}
	value, err := Plain(text)
	if err != nil {
		t.Fatal(err)
	}
	bySchema, byLoader := schema.Validate(value), load(text)
	if (bySchema == nil) != (byLoader == nil) {
		t.Errorf("after %s\nschema: %v\nloader: %v\n%s", what, bySchema, byLoader, text)
	}
	return byLoader != nil
}

// damage changes one random node of a good file in a way that both must see.
func damage(rt *rapid.T, root *yaml.Node) string {
	var all []*yaml.Node
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		all = append(all, n)
		for i, child := range n.Content {
			if n.Kind == yaml.SequenceNode || i%2 == 1 {
				walk(child)
			}
		}
	}
	walk(root)
	n := rapid.SampledFrom(all).Draw(rt, "node")
	what := rapid.SampledFrom([]string{"null", "number", "bool", "list", "mapping", "extra key", "blank", "nothing"}).Draw(rt, "what")
	switch what {
	case "null", "number", "bool":
		*n = yaml.Node{Kind: yaml.ScalarNode, Value: map[string]string{"null": "null", "number": "1.5", "bool": "true"}[what]}
	case "list":
		*n = yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{{Kind: yaml.SequenceNode}}}
	case "mapping":
		*n = yaml.Node{Kind: yaml.MappingNode}
	case "blank":
		*n = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: " "}
	case "extra key":
		n.Content = append([]*yaml.Node{{Kind: yaml.ScalarNode, Value: "Extra"}, {Kind: yaml.ScalarNode, Value: "1.5"}}, n.Content...)
		n.Kind, n.Tag, n.Value, n.Style = yaml.MappingNode, "", "", 0
	}
	return what
}

package report

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/qualify-dev/qualify/internal/result"
)

func verdictSchema(t *testing.T) (*jsonschema.Schema, *jsonschema.Resolved) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "schema", "verdict.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	r, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &s, r
}

// written is the document as a reader of verdict.json sees it.
func written(t *testing.T, d result.Document) map[string]any {
	t.Helper()
	var b bytes.Buffer
	if err := WriteVerdict(&b, d); err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(b.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerdictsValidate(t *testing.T) {
	_, schema := verdictSchema(t)
	for name, in := range samples() {
		if name == "hostile" || name == "nothing" { // no honest judge writes these
			continue
		}
		if err := schema.Validate(written(t, in.Document)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	leftover := goodRun().Document
	leftover.ExitCode = 4
	leftover.Reasons = []result.Reason{{Code: result.ReasonLeftovers, Text: "a container is left"}}
	if err := schema.Validate(written(t, leftover)); err != nil {
		t.Errorf("leftover: %v", err)
	}
}

func TestBrokenVerdictsDoNotValidate(t *testing.T) {
	_, schema := verdictSchema(t)
	first := func(v map[string]any, keys ...string) map[string]any {
		for _, k := range keys {
			v = v[k].([]any)[0].(map[string]any)
		}
		return v
	}
	for name, breakIt := range map[string]func(v map[string]any){
		"other version":              func(v map[string]any) { v["apiVersion"] = "qualify/v2" },
		"other kind":                 func(v map[string]any) { v["kind"] = "Plan" },
		"unknown verdict":            func(v map[string]any) { v["verdict"] = "qualified" },
		"extra field":                func(v map[string]any) { v["override"] = true },
		"extra field in a cell":      func(v map[string]any) { first(v, "cells")["waived"] = true },
		"extra field in a suite":     func(v map[string]any) { first(v, "cells", "suites")["ok"] = true },
		"no reasons":                 func(v map[string]any) { delete(v, "reasons") },
		"null reasons":               func(v map[string]any) { v["reasons"] = nil },
		"no notRun":                  func(v map[string]any) { delete(first(v, "cells", "suites"), "notRun") },
		"no digest":                  func(v map[string]any) { delete(v["release"].(map[string]any), "digest") },
		"empty digest":               func(v map[string]any) { v["release"].(map[string]any)["digest"] = "" },
		"no plan":                    func(v map[string]any) { v["plan"] = map[string]any{"hash": ""} },
		"exit code of a failure":     func(v map[string]any) { v["exitCode"] = 1.0 },
		"exit code as text":          func(v map[string]any) { v["exitCode"] = "0" },
		"qualified without cells":    func(v map[string]any) { v["cells"] = []any{} },
		"qualified without suites":   func(v map[string]any) { first(v, "cells")["suites"] = []any{} },
		"qualified with a bad cell":  func(v map[string]any) { first(v, "cells")["verdict"] = "Inconclusive" },
		"qualified, not run":         func(v map[string]any) { first(v, "cells", "suites")["notRun"] = 1.0 },
		"qualified, nothing checked": func(v map[string]any) { first(v, "cells")["identity"].(map[string]any)["checked"] = 0.0 },
		"qualified, mismatched": func(v map[string]any) {
			first(v, "cells")["identity"].(map[string]any)["mismatched"] = []any{"kubelet"}
		},
		"exit code 0 with a reason": func(v map[string]any) {
			v["reasons"] = []any{map[string]any{"code": "leftovers", "cell": "", "suite": "", "text": "x"}}
		},
		"inconclusive with 0":     func(v map[string]any) { v["verdict"] = "Inconclusive" },
		"failed without a reason": func(v map[string]any) { v["verdict"], v["exitCode"] = "NotQualified", 1.0 },
		"unknown code": func(v map[string]any) {
			v["notes"] = []any{map[string]any{"code": "all-good", "cell": "", "suite": "", "text": "x"}}
		},
		"negative count":   func(v map[string]any) { first(v, "cells", "suites")["passed"] = -1.0 },
		"half a case":      func(v map[string]any) { first(v, "cells", "suites")["passed"] = 1.5 },
		"negative seconds": func(v map[string]any) { first(v, "cells", "phases")["seconds"] = -1.0 },
	} {
		v := written(t, goodRun().Document)
		if err := schema.Validate(v); err != nil {
			t.Fatalf("before breaking it: %v", err)
		}
		breakIt(v)
		if err := schema.Validate(v); err == nil {
			t.Errorf("%s: validates", name)
		}
	}
}

// TestSchemaNamesEveryCode keeps contract and code together.
func TestSchemaNamesEveryCode(t *testing.T) {
	schema, _ := verdictSchema(t)
	reasons, notes := schema.Defs["reason"].Properties["code"].Enum, schema.Defs["note"].Properties["code"].Enum
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "result", "verdict.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		code, _ := strconv.Unquote(lit.Value)
		isReason := strings.HasPrefix(spec.Names[0].Name, "Reason")
		if !isReason && !strings.HasPrefix(spec.Names[0].Name, "Note") {
			return true
		}
		found++
		if isReason && !slices.Contains(reasons, any(code)) || !slices.Contains(notes, any(code)) {
			t.Errorf("the schema does not know code %q", code)
		}
		return true
	})
	if found < 20 || len(notes) != found {
		t.Errorf("%d codes in the code, %d in the schema", found, len(notes))
	}
}

func TestWriteVerdict(t *testing.T) {
	golden(t, "verdict.json", func(b *bytes.Buffer) error { return WriteVerdict(b, lostRun().Document) })
	d := goodRun().Document
	d.Cells[0].Identity.Mismatched, d.Cells[0].Values, d.Notes = nil, nil, nil
	if v := written(t, d); v["notes"] == nil || d.Cells[0].Identity.Mismatched != nil || d.Cells[0].Values != nil {
		t.Error("a list is null, or the document was changed")
	}
	d.Release.Name = "<a&b>"
	var b bytes.Buffer
	if err := WriteVerdict(&b, d); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `"<a&b>"`) || !strings.HasSuffix(b.String(), "}\n") {
		t.Errorf("escaped, or without a newline at its end:\n%s", b.String())
	}
	for name, bad := range map[string]func(d *result.Document){
		"no version":        func(d *result.Document) { d.APIVersion = "" },
		"no kind":           func(d *result.Document) { d.Kind = "" },
		"0 for a failure":   func(d *result.Document) { d.Verdict = result.NotQualified },
		"0 with a reason":   func(d *result.Document) { d.Reasons = []result.Reason{{}} },
		"a verdict unknown": func(d *result.Document) { d.Verdict, d.ExitCode = 9, 3 },
	} {
		d := goodRun().Document
		bad(&d)
		if err := WriteVerdict(&bytes.Buffer{}, d); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

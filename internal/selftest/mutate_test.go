package selftest

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
)

// rewriter puts switches for mutants into a source file: text that is inserted
// and nothing that is taken out, so that each is off unless it is asked for.
type rewriter struct {
	set     *token.FileSet
	source  []byte
	inserts []insert
	mutants []mutant
	names   map[string]int
	in      string // the function that it is in
}

// insert is text at an offset. What opens an outer expression comes before
// what opens an inner one, and what closes it after.
type insert struct {
	at, order int
	text      string
}

// mutate returns a file with switches for mutants, and what they are: of its
// functions, and of the conditions in them if so asked.
func mutate(t *testing.T, file string, source []byte, conditions bool) ([]byte, []mutant) {
	t.Helper()
	r := &rewriter{set: token.NewFileSet(), source: source, names: map[string]int{}}
	tree, err := parser.ParseFile(r.set, file, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range tree.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
			r.function(f)
			ast.Inspect(f.Body, func(n ast.Node) bool {
				if conditions {
					r.node(n)
				}
				return true
			})
		}
	}
	slices.SortStableFunc(r.inserts, func(a, b insert) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order)) })
	var out []byte
	from := 0
	for _, i := range r.inserts {
		out = append(append(out, source[from:i.at]...), i.text...)
		from = i.at
	}
	return append(out, source[from:]...), r.mutants
}

// name makes a mutant's name unique and records it.
func (r *rewriter) name(name string, guard bool) string {
	r.names[name]++
	if n := r.names[name]; n > 1 {
		name += fmt.Sprintf(" #%d", n)
	}
	r.mutants = append(r.mutants, mutant{name: name, guard: guard})
	return name
}

func (r *rewriter) insert(at token.Pos, order int, text string) {
	r.inserts = append(r.inserts, insert{r.set.Position(at).Offset, order, text})
}

// function makes mutants that return fixed answers.
func (r *rewriter) function(f *ast.FuncDecl) {
	r.in = f.Name.Name
	if f.Recv != nil {
		r.in = strings.TrimPrefix(types.ExprString(f.Recv.List[0].Type), "*") + "." + r.in
	}
	var results []string
	if f.Type.Results != nil {
		for _, field := range f.Type.Results.List {
			for range max(1, len(field.Names)) {
				results = append(results, types.ExprString(field.Type))
			}
		}
	}
	for _, answer := range answers()[strings.Join(results, ", ")] {
		guard, name := slices.Contains(results, "[]finding"), r.in
		if answer != "" && !guard {
			name += " = " + answer
		}
		r.insert(f.Body.Lbrace+1, 0, fmt.Sprintf(" if mutant == %q { return %s };", r.name(name, guard), answer))
	}
}

// answers are the fixed answers of a function, by the types of its results.
func answers() map[string][]string {
	return map[string][]string{
		"":                      {""},
		"[]finding":             {"nil"},
		"SuiteCount, []finding": {"SuiteCount{Name: c.suite.Name}, nil"},
		"bool":                  {"true", "false"},
		"bool, bool":            {"false, false"},
		"Verdict":               {"Qualified"},
		"CellVerdict":           {"c"},
		"weight":                {"informs"},
		"int":                   {"0"},
		"int, int":              {"0, 0"},
		"string":                {`""`},
		"string, string":        {`"", ""`},
		"[]string":              {"nil"},
		"[]string, []string":    {"names, nil"},
		"*Session":              {"nil", "&Session{Ended: true}"},
	}
}

// node makes mutants of the conditions in a function.
func (r *rewriter) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.IfStmt:
		r.condition(n.Cond, true, true)
	case *ast.SwitchStmt:
		if n.Tag != nil {
			return
		}
		for _, clause := range n.Body.List {
			for _, e := range clause.(*ast.CaseClause).List {
				r.condition(e, true, true)
			}
		}
	case *ast.BinaryExpr:
		// Without one side, the other decides alone.
		if n.Op == token.LAND || n.Op == token.LOR {
			r.condition(n.X, n.Op == token.LAND, n.Op == token.LOR)
			r.condition(n.Y, n.Op == token.LAND, n.Op == token.LOR)
		}
	}
}

// condition makes one that is always true, and one that is never.
func (r *rewriter) condition(e ast.Expr, always, never bool) {
	text := r.in + ": " + strings.Join(strings.Fields(string(r.source[r.set.Position(e.Pos()).Offset:r.set.Position(e.End()).Offset])), " ")
	depth := len(r.inserts)
	wrap := func(operator, comparison, value string) {
		r.insert(e.Pos(), depth, "((")
		r.insert(e.End(), -depth, fmt.Sprintf(") %s mutant %s %q)", operator, comparison, r.name(text+" = "+value, false)))
		depth++
	}
	if always {
		wrap("||", "==", "true")
	}
	if never {
		wrap("&&", "!=", "false")
	}
}

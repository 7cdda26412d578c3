package archtest

import (
	"fmt"
	"go/ast"
)

// checkSizes returns the functions and files that are too long to be read in
// one go. Tests are free: tables and fixtures are long and simple.
func checkSizes(files []file) []string {
	var wrong []string
	for _, f := range files {
		if f.test() {
			continue
		}
		if f.lines > mostFile {
			wrong = append(wrong, fmt.Sprintf("%s: %d lines, a file has %d at most", f.name, f.lines, mostFile))
		}
		// Literals count for themselves too: a long one assigned to a
		// variable is a long function all the same.
		ast.Inspect(f.ast, func(n ast.Node) bool {
			name := ""
			switch n := n.(type) {
			case *ast.FuncDecl:
				name = n.Name.Name
			case *ast.FuncLit:
				name = "function literal"
			default:
				return true
			}
			if lines := length(f, n); lines > mostFunction {
				wrong = append(wrong, fmt.Sprintf("%s: %s has %d lines, a function has %d at most", f.at(n), name, lines, mostFunction))
			}
			return true
		})
	}
	return wrong
}

// length is the number of lines from a function's first to its last.
func length(f file, n ast.Node) int {
	return f.set.Position(n.End()).Line - f.set.Position(n.Pos()).Line + 1
}

package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is the path in front of every package of ours, nested modules
// included.
const module = "github.com/qualify-dev/qualify"

// file is one Go file of the repository.
type file struct {
	name  string // below the root, with slashes
	lines int
	set   *token.FileSet
	ast   *ast.File
}

func (f file) dir() string { return path.Dir(f.name) }

func (f file) test() bool { return strings.HasSuffix(f.name, "_test.go") }

// program tells a file of a program from one of a library.
func (f file) program() bool { return f.ast.Name.Name == "main" }

func (f file) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.name, f.set.Position(n.Pos()).Line)
}

// imports lists the paths that the file imports.
func (f file) imports() []string {
	var all []string
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			all = append(all, p)
		}
	}
	return all
}

// pkgOf returns the import path that a name stands for in the file, "" where
// it is no package.
func (f file) pkgOf(name string) string {
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		if spec.Name == nil && path.Base(p) == name || spec.Name != nil && spec.Name.Name == name {
			return p
		}
	}
	return ""
}

// load parses every Go file below the root, whatever its build constraints:
// what holds on this machine alone is no rule. Test data is not ours to judge.
func load(root fs.FS) ([]file, error) {
	var files []file
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != "." && skipped(entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		f, err := parse(root, name)
		if err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	return files, err
}

func skipped(dir string) bool {
	return strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "_") ||
		slices.Contains([]string{"testdata", "vendor", "results", "bin", "dist"}, dir)
}

func parse(root fs.FS, name string) (file, error) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return file{}, err
	}
	f := file{name: name, lines: bytes.Count(text, []byte("\n")), set: token.NewFileSet()}
	f.ast, err = parser.ParseFile(f.set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return f, err
}

// covers tells whether a pattern of import paths ("x" or "x/...") has p.
func covers(patterns []string, p string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		below, deep := strings.CutSuffix(pattern, "/...")
		return p == below || deep && strings.HasPrefix(p, below+"/")
	})
}

// listed tells whether a list of folders ("x", "x/*" or "*") has dir.
func listed(dirs []string, dir string) bool {
	return slices.ContainsFunc(dirs, func(pattern string) bool {
		parent, each := strings.CutSuffix(pattern, "/*")
		return pattern == "*" || pattern == dir || each && path.Dir(dir) == parent
	})
}

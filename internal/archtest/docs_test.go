package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/mod/modfile"
)

// documents lists the pages that people read first.
func documents(root fs.FS) ([]string, error) {
	var pages []string
	for _, pattern := range []string{"*.md", "*/README.md", "docs/*.md", "docs/*/*.md"} {
		found, err := fs.Glob(root, pattern)
		if err != nil {
			return nil, err
		}
		pages = append(pages, found...)
	}
	slices.Sort(pages)
	return slices.Compact(pages), nil
}

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	testName = regexp.MustCompile("`(Test[A-Z][A-Za-z0-9]*|Fuzz[A-Z][A-Za-z0-9]*)`")
)

// checkDocuments returns the links that lead nowhere and the tests that are
// named and do not exist: such a page promises what nobody holds.
func checkDocuments(root fs.FS, files []file) ([]string, error) {
	pages, err := documents(root)
	if err != nil {
		return nil, err
	}
	tests := testsOf(files)
	var wrong []string
	for _, page := range pages {
		text, err := fs.ReadFile(root, page)
		if err != nil {
			return nil, err
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := fs.Stat(root, path.Join(path.Dir(page), target)); err != nil {
				wrong = append(wrong, fmt.Sprintf("%s: the link to %s leads nowhere", page, m[1]))
			}
		}
		for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
			if !tests[m[1]] {
				wrong = append(wrong, fmt.Sprintf("%s: there is no test %s", page, m[1]))
			}
		}
	}
	return wrong, nil
}

func testsOf(files []file) map[string]bool {
	tests := map[string]bool{}
	for _, f := range files {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && f.test() {
				tests[fn.Name.Name] = true
			}
		}
	}
	return tests
}

func TestDocuments(t *testing.T) {
	root := os.DirFS("../..")
	wrong, err := checkDocuments(root, repository(t))
	if err != nil {
		t.Fatal(err)
	}
	report(t, wrong)
	pages, err := documents(root)
	if err != nil || len(pages) < 12 || !slices.Contains(pages, "README.md") || !slices.Contains(pages, "docs/layout.md") {
		t.Errorf("found only %q, %v", pages, err)
	}
}

func TestBadDocumentsAreFound(t *testing.T) {
	root := fstest.MapFS{
		"README.md":       {Data: []byte("[a](docs/a.md) [b](docs/b.md#part) [c](https://example.org/c) [d](#part) `TestReal` TestOther")},
		"docs/a.md":       {Data: []byte("[back](../README.md) [lost](README.md)")},
		"docs/adr/0.md":   {Data: []byte("`TestGone` `FuzzGone`")},
		"x/README.md":     {Data: []byte("[lost](y.go)")},
		"x/y/z/README.md": {Data: []byte("[not read](lost)")},
		"x/x_test.go":     {Data: []byte("package x\nfunc TestReal() {}")},
	}
	files, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := checkDocuments(root, files)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"README.md: the link to docs/b.md#part leads nowhere", "docs/a.md: the link to README.md leads nowhere",
		"docs/adr/0.md: there is no test TestGone", "docs/adr/0.md: there is no test FuzzGone", "x/README.md: the link to y.go leads nowhere",
	}
	if !slices.Equal(wrong, want) {
		t.Errorf("got %q, want %q", wrong, want)
	}
}

// constant returns the value of a text constant of a file.
func constant(t *testing.T, files []file, name, constant string) string {
	t.Helper()
	for _, f := range files {
		if f.name != name {
			continue
		}
		for _, d := range f.ast.Decls {
			if decl, ok := d.(*ast.GenDecl); ok && decl.Tok == token.CONST {
				if text, ok := valueOf(decl, constant); ok {
					return text
				}
			}
		}
	}
	t.Fatalf("%s has no text constant %s", name, constant)
	return ""
}

func valueOf(decl *ast.GenDecl, constant string) (string, bool) {
	for _, s := range decl.Specs {
		v, ok := s.(*ast.ValueSpec)
		if !ok || v.Names[0].Name != constant || len(v.Values) != 1 {
			continue
		}
		if literal, ok := v.Values[0].(*ast.BasicLit); ok {
			text, err := strconv.Unquote(literal.Value)
			return text, err == nil
		}
	}
	return "", false
}

// The README shows the exit codes as --help does.
func TestReadmeHasTheExitCodes(t *testing.T) {
	table := constant(t, repository(t), "cmd/qualify/exit.go", "exitTable")
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := "```text\n" + table + "```\n"; strings.Count(table, "\n") < 6 || strings.Count(string(readme), want) != 1 {
		t.Errorf("the README has no block with the table of cmd/qualify/exit.go:\n%s", want)
	}
}

// kind's node files have to be those that its library was made with.
func TestKindsNodeFilesAreOfItsLibrary(t *testing.T) {
	const place = "internal/provision/kind/nodeimage.go"
	files := repository(t)
	modulePath, version := constant(t, files, place, "kindModulePath"), constant(t, files, place, "kindModuleVersion")
	data, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.ParseLax("go.mod", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		if r.Mod.Path == modulePath {
			if r.Mod.Version != version {
				t.Errorf("%s takes the files of %s, go.mod has the library %s", place, version, r.Mod.Version)
			}
			return
		}
	}
	t.Errorf("go.mod does not require %s", modulePath)
}

package archtest

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

// uses are names of other packages that are used in some places only.
var uses = []struct {
	name    string // import path, a dot, and what of it; "*" is any text
	allowed func(r row, f file) bool
	why     string
}{
	{"os.Exit", inProgram, "only main ends the process: return an error"},
	{"log.Fatal*", inProgram, "only main ends the process: return an error"},
	{"os.Stdout", inMain, "take an io.Writer: streams come from main, behind the redactor"},
	{"os.Stderr", inMain, "take an io.Writer: streams come from main, behind the redactor"},
	{"os.Stdin", inProgram, "take an io.Reader: streams come from main"},
	{"fmt.Print*", inProgram, "take an io.Writer: streams come from main"},
	{"log.Print*", nowhere, "take a *slog.Logger: loggers come from internal/sink, behind the redactor"},
	{"log.Panic*", nowhere, "return an error"},
	{"log.New", nowhere, "take a *slog.Logger: loggers come from internal/sink, behind the redactor"},
	{"log/slog.New*Handler", inSink, "loggers come from internal/sink, behind the redactor"},
	{"log/slog.Default", nowhere, "take a *slog.Logger: the default one writes to the stream itself"},
	{"log/slog.SetDefault", nowhere, "take a *slog.Logger"},
	{"log/slog.Debug*", nowhere, "take a *slog.Logger: the default one writes to the stream itself"},
	{"log/slog.Info*", nowhere, "take a *slog.Logger: the default one writes to the stream itself"},
	{"log/slog.Warn*", nowhere, "take a *slog.Logger: the default one writes to the stream itself"},
	{"log/slog.Error*", nowhere, "take a *slog.Logger: the default one writes to the stream itself"},
	{"os.Create*", writes, "files of a run come from internal/sink, behind the redactor; writers in table_test.go has the others"},
	{"os.OpenFile", writes, "files of a run come from internal/sink, behind the redactor; writers in table_test.go has the others"},
	{"os.WriteFile", writes, "files of a run come from internal/sink, behind the redactor; writers in table_test.go has the others"},
	{"os.OpenRoot", writes, "files of a run come from internal/sink, behind the redactor; writers in table_test.go has the others"},
	{"os.NewFile", writes, "files of a run come from internal/sink, behind the redactor; writers in table_test.go has the others"},
	{"time.Now", impure, "take the time as an argument"},
	{"time.Since", impure, "take the time as an argument"},
	{"time.Until", impure, "take the time as an argument"},
	{"time.After*", impure, "it waits for nothing"},
	{"time.New*", impure, "it waits for nothing"},
	{"time.Tick", impure, "it waits for nothing"},
	{"time.Sleep", impure, "it waits for nothing"},
	{"time.Local", impure, "the machine's time zone is environment"},
	{"os.Getenv", impure, "it does not read the environment"},
	{"os.LookupEnv", impure, "it does not read the environment"},
	{"os.Environ", impure, "it does not read the environment"},
	{"os.ExpandEnv", impure, "it does not read the environment"},
	{"os.Hostname", impure, "it does not read the environment"},
	{"os.UserHomeDir", impure, "it does not read the environment"},
	{"os.UserCacheDir", impure, "it does not read the environment"},
	{"os.UserConfigDir", impure, "it does not read the environment"},
	{"html/template.HTML*", nowhere, "a cast turns escaping off: what clusters say is hostile text"},
	{"html/template.CSS", nowhere, "a cast turns escaping off"},
	{"html/template.JS*", nowhere, "a cast turns escaping off"},
	{"html/template.URL", nowhere, "a cast turns escaping off"},
	{"html/template.Srcset", nowhere, "a cast turns escaping off"},
}

// templateFunctions of html/template that begin like a forbidden type.
var templateFunctions = []string{"HTMLEscape", "HTMLEscapeString", "HTMLEscaper", "JSEscape", "JSEscapeString", "JSEscaper"}

// inMain is where a program begins; of ours the function around main alone.
func inMain(_ row, f file) bool {
	return f.program() && (f.dir() != "cmd/qualify" || f.name == "cmd/qualify/main.go")
}

func inSink(_ row, f file) bool { return f.dir() == "internal/sink" }

// writes holds for who may create files by himself.
func writes(_ row, f file) bool {
	return slices.ContainsFunc(writers, func(w struct{ where, why string }) bool {
		return f.name == w.where || listed([]string{w.where}, f.dir())
	})
}

func inProgram(_ row, f file) bool { return f.program() }

func impure(r row, _ file) bool { return !r.pure }

func nowhere(row, file) bool { return false }

// checkCode returns what the files do that they may not. Tests are free.
func checkCode(rows []row, files []file) []string {
	var wrong []string
	for _, f := range files {
		if f.test() {
			continue
		}
		r, _ := rowOf(rows, f.dir())
		wrong = append(wrong, slices.Concat(checkUses(r, f), checkDeclarations(f), checkBlankImports(f), checkComments(f))...)
	}
	return wrong
}

func checkUses(r row, f file) []string {
	var wrong []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if n.Name == "InsecureSkipVerify" {
				wrong = append(wrong, f.at(n)+": InsecureSkipVerify: an unverified server is not the one that is under test")
			}
		case *ast.SelectorExpr:
			wrong = append(wrong, checkUse(r, f, n)...)
		}
		return true
	})
	return wrong
}

func checkUse(r row, f file, n *ast.SelectorExpr) []string {
	x, ok := n.X.(*ast.Ident)
	if !ok {
		return nil
	}
	pkg := f.pkgOf(x.Name)
	if pkg == "html/template" && slices.Contains(templateFunctions, n.Sel.Name) {
		return nil
	}
	name := pkg + "." + n.Sel.Name
	for _, u := range uses {
		prefix, suffix, open := strings.Cut(u.name, "*")
		fits := name == u.name || open && strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix)
		if fits && !u.allowed(r, f) {
			return []string{fmt.Sprintf("%s: %s: %s", f.at(n), name, u.why)}
		}
	}
	return nil
}

// checkDeclarations refuses code that runs because a package is linked.
func checkDeclarations(f file) []string {
	var wrong []string
	for _, d := range f.ast.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			wrong = append(wrong, f.at(fn)+": no init: list it where it is used")
		}
	}
	return wrong
}

func checkBlankImports(f file) []string {
	var wrong []string
	for _, spec := range f.ast.Imports {
		if spec.Name == nil {
			continue
		}
		switch p := strings.Trim(spec.Path.Value, `"`); {
		case spec.Name.Name == "_" && p != "embed":
			wrong = append(wrong, fmt.Sprintf("%s: a blank import of %s changes what the program does without a name for it", f.at(spec), p))
		case spec.Name.Name == ".":
			wrong = append(wrong, fmt.Sprintf("%s: a dot import of %s hides where names come from", f.at(spec), path.Base(p)))
		}
	}
	return wrong
}

// unfinished are the marks of work that was left for later: it belongs in an
// issue, where somebody sees it.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

func checkComments(f file) []string {
	var wrong []string
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			if mark := unfinished.FindString(c.Text); mark != "" {
				wrong = append(wrong, fmt.Sprintf("%s: %s: open an issue instead", f.at(c), mark))
			}
		}
	}
	return wrong
}

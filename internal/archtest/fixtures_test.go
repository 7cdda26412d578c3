package archtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// tree parses fixtures: Go sources by their names.
func tree(t *testing.T, sources map[string]string) []file {
	t.Helper()
	root := fstest.MapFS{}
	for name, text := range sources {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	files, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// source is a file with the given imports and body.
func source(pkg string, imports []string, body string) string {
	text := "package " + pkg + "\n"
	for _, i := range imports {
		text += "import " + i + "\n"
	}
	return text + body + "\n"
}

func quoted(path string) string { return fmt.Sprintf("%q", path) }

// complaints are what all rules say of one file. Rows for packages that are
// not in the fixture are not its fault.
func complaints(t *testing.T, name, text string) []string {
	t.Helper()
	files := tree(t, map[string]string{name: text})
	wrong := slices.Concat(checkImports(table, files), checkCode(table, files), checkSizes(files))
	return slices.DeleteFunc(wrong, func(w string) bool { return strings.HasSuffix(w, "there is no such package") })
}

// The rules that matter most, each with a file that breaks it and no other.
// They are written out, so that a rule that is dropped from a list fails here.
func TestBadFilesAreFound(t *testing.T) {
	ours := func(p string) string { return quoted(module + "/" + p) }
	tests := []struct{ file, imports, body, want string }{
		// Directions.
		{"matrix/a.go", ours("internal/result"), "", "matrix may not import internal/result"},
		{"matrix/a.go", ours("internal/cluster"), "", "matrix may not import internal/cluster"},
		{"internal/result/a.go", ours("matrix"), "", "internal/result may not import matrix"},
		{"internal/result/a.go", ours("internal/report"), "", "internal/result may not import internal/report"},
		{"internal/nodeos/a.go", ours("internal/provision"), "", "internal/nodeos may not import internal/provision"},
		{"internal/release/a.go", ours("matrix"), "", "internal/release may not import matrix"},
		{"internal/release/a.go", ours("internal/cluster"), "", "internal/release may not import internal/cluster"},
		{"internal/release/source/a.go", ours("internal/provision"), "", "internal/release/source may not import internal/provision"},
		{"internal/cache/a.go", ours("internal/release"), "", "internal/cache may not import internal/release"},
		{"internal/stabletar/a.go", ours("internal/cache"), "", "internal/stabletar may not import internal/cache"},
		{"internal/debootstrap/a.go", ours("internal/release"), "", "internal/debootstrap may not import internal/release"},
		{"internal/doctor/a.go", ours("internal/provision"), "", "internal/doctor may not import internal/provision"},
		{"internal/cluster/a.go", ours("internal/provision"), "", "internal/cluster may not import internal/provision"},
		{"internal/identity/a.go", ours("internal/provision/kind"), "", "internal/identity may not import internal/provision/kind"},
		{"internal/ginkgo/a.go", ours("internal/result"), "", "internal/ginkgo may not import internal/result"},
		{"internal/provision/a.go", ours("suites"), "", "internal/provision may not import suites"},
		{"internal/provision/a.go", ours("internal/provision/kind"), "", "internal/provision may not import internal/provision/kind"},
		{"internal/provision/kind/a.go", ours("internal/provision/existing"), "", "may not import internal/provision/existing"},
		{"internal/provision/new/a.go", ours("internal/provision/kind"), "", "internal/provision/new may not import internal/provision/kind"},
		{"internal/provision/kind/a.go", ours("internal/result"), "", "internal/provision/kind may not import internal/result"},
		{"suites/a.go", ours("internal/provision"), "", "suites may not import internal/provision"},
		{"internal/run/a.go", ours("internal/provision/kind"), "", "internal/run may not import internal/provision/kind"},
		{"internal/run/a.go", ours("internal/report"), "", "internal/run may not import internal/report"},
		{"internal/report/a.go", ours("internal/run"), "", "internal/report may not import internal/run"},
		{"internal/report/a.go", ours("internal/cluster"), "", "internal/report may not import internal/cluster"},
		{"internal/selftest/a.go", ours("internal/report"), "", "internal/selftest may not import internal/report"},
		{"internal/redact/a.go", ours("internal/result"), "", "internal/redact may not import internal/result"},
		{"hack/tool/a.go", ours("internal/cache"), "", "hack/tool may not import internal/cache"},
		{"suites/e2e/specs/a.go", ours("internal/cluster"), "", "suites/e2e/specs may not import internal/cluster"},
		{"internal/unheard/a.go", "", "", "package internal/unheard has no row"},

		// What a package must not know.
		{"matrix/a.go", `"os"`, "", "matrix must not know os"},
		{"matrix/a.go", `"net/http"`, "", "matrix must not know net/http"},
		{"internal/result/a.go", `"os/exec"`, "", "internal/result must not know os/exec"},
		{"internal/result/a.go", `"net"`, "", "internal/result must not know net"},
		{"internal/result/a.go", `"k8s.io/api/core/v1"`, "", "internal/result must not know k8s.io/api/core/v1"},
		{"internal/nodeos/a.go", `"net/http/httputil"`, "", "internal/nodeos must not know net/http/httputil"},
		{"internal/nodeos/a.go", `"os/exec"`, "", "internal/nodeos must not know os/exec"},
		{"internal/report/a.go", `"os/exec"`, "", "internal/report must not know os/exec"},
		{"internal/report/a.go", `"net"`, "", "internal/report must not know net"},
		{"internal/report/a.go", `"os"`, "", "internal/report must not know os"},
		{"internal/release/a.go", `"k8s.io/client-go/kubernetes"`, "", "internal/release must not know k8s.io/client-go/kubernetes"},
		{"internal/release/source/a.go", `"github.com/google/go-containerregistry/pkg/v1/remote"`, "", "must not know"},
		{"internal/run/a.go", `"flag"`, "", "internal/run must not know flag"},
		{"internal/run/a.go", `"encoding/xml"`, "", "internal/run must not know encoding/xml"},
		{"internal/run/a.go", `"os/exec"`, "", "internal/run must not know os/exec"},
		{"suites/a.go", `"net/http"`, "", "suites must not know net/http"},
		{"cmd/qualify/a.go", `"k8s.io/client-go/kubernetes"`, "", "cmd/qualify must not know k8s.io/client-go/kubernetes"},

		// What one package alone may know.
		{"internal/run/a.go", ours("internal/provision/all"), "", "imported by cmd/qualify, bench/* alone"},
		{"cmd/qualify/a.go", ours("internal/provision/fake"), "", "clusters that do not exist"},
		{"internal/provision/all/a.go", ours("internal/provision/fake"), "", "clusters that do not exist"},
		{"cmd/qualify/a.go", ours("internal/provision/provisiontest"), "", "clusters that do not exist"},
		{"internal/provision/kind/a.go", `"github.com/aws/aws-sdk-go-v2/service/ec2"`, "", "imported by internal/provision/ec2 alone"},
		{"cmd/qualify/a.go", `"github.com/aws/aws-sdk-go-v2/config"`, "", "imported by internal/provision/ec2 alone"},
		{"internal/provision/fake/a.go", `"sigs.k8s.io/kind/pkg/cluster"`, "", "imported by internal/provision/kind"},
		{"internal/provision/kind/a.go", `"github.com/google/go-containerregistry/pkg/v1"`, "", "imported by internal/release/source, internal/release/images alone"},
		{"bench/clusterup/a.go", `"github.com/spf13/cobra"`, "", "imported by cmd/qualify alone"},
		{"internal/run/a.go", `"github.com/charmbracelet/bubbletea"`, "", "terminals belong to the command line"},
		{"internal/cache/a.go", `"testing"`, "", "testing may be imported by internal/provision/provisiontest alone"},
		{"internal/release/a.go", `"gopkg.in/yaml.v3"`, "", "nobody maintains it"},
		{"internal/release/a_test.go", `"gopkg.in/yaml.v3"`, "", "nobody maintains it"},
		{"internal/cache/a.go", `"C"`, "", "the programs are static"},

		// What code must not do.
		{"internal/cache/a.go", `"os"`, "func f() { os.Exit(1) }", "a.go:3: os.Exit"},
		{"internal/cache/a.go", `system "os"`, "func f() { defer system.Exit(1) }", "os.Exit"},
		{"internal/cache/a.go", `"log"`, "func f() { log.Fatalf(``) }", "log.Fatalf"},
		{"internal/run/a.go", `"os"`, "var w = os.Stdout", "os.Stdout"},
		{"internal/run/a.go", `"fmt"`, "func f() { fmt.Println() }", "fmt.Println"},
		{"cmd/qualify/a.go", `"os"`, "var w = os.Stderr", "os.Stderr"},
		{"internal/run/a.go", `"log"`, "func f() { log.Printf(``) }", "log.Printf"},
		{"internal/run/a.go", `"log"`, "func f() { log.Panicln() }", "log.Panicln"},
		{"internal/run/a.go", `"log"`, "var l = log.New(nil, ``, 0)", "log.New"},
		{"cmd/qualify/a.go", `"log/slog"`, "var h = slog.NewJSONHandler(nil, nil)", "log/slog.NewJSONHandler"},
		{"internal/run/a.go", `"log/slog"`, "func f() { slog.WarnContext(nil, ``) }", "log/slog.WarnContext"},
		{"internal/run/a.go", `"log/slog"`, "func f() { slog.Info(``) }", "log/slog.Info"},
		{"internal/run/a.go", `"log/slog"`, "func f() { slog.Error(``) }", "log/slog.Error"},
		{"internal/run/a.go", `"log/slog"`, "func f() { slog.Debug(``) }", "log/slog.Debug"},
		{"internal/run/a.go", `"log/slog"`, "var l = slog.Default()", "log/slog.Default"},
		{"internal/run/a.go", `"log/slog"`, "func f() { slog.SetDefault(nil) }", "log/slog.SetDefault"},
		{"suites/a.go", `"os"`, "func f() { os.Create(``) }", "os.Create"},
		{"internal/ginkgo/a.go", `"os"`, "func f() { os.CreateTemp(``, ``) }", "os.CreateTemp"},
		{"internal/provision/kind/a.go", `"os"`, "func f() { os.OpenFile(``, 0, 0) }", "os.OpenFile"},
		{"internal/run/a.go", `"os"`, "func f() { os.WriteFile(``, nil, 0) }", "os.WriteFile"},
		{"cmd/qualify/a.go", `"os"`, "func f() { os.OpenRoot(``) }", "os.OpenRoot"},
		{"cmd/qualify/a.go", `"os"`, "func f() { os.NewFile(1, ``) }", "os.NewFile"},
		{"cmd/qualify/a.go", `"github.com/google/renameio/v2"`, "", "behind the redactor"},
		{"cmd/qualify/a.go", ours("internal/redact/redacttest"), "", "secrets that are made up"},
		{"internal/redact/a.go", `"os"`, "", "internal/redact must not know os"},
		{"internal/sink/a.go", ours("internal/result"), "", "internal/sink may not import internal/result"},
		{"internal/result/a.go", `"time"`, "var now = time.Now", "time.Now"},
		{"internal/report/a.go", `"time"`, "func f(t time.Time) any { return time.Since(t) }", "time.Since"},
		{"internal/result/a.go", `"os"`, "var home = os.Getenv(`HOME`)", "os.Getenv"},
		{"internal/report/a.go", `"html/template"`, "func f(s string) any { return template.HTML(s) }", "html/template.HTML"},
		{"internal/report/a.go", `"html/template"`, "func f(s string) any { return template.HTMLAttr(s) }", "html/template.HTMLAttr"},
		{"internal/report/a.go", `t "html/template"`, "var css t.CSS", "html/template.CSS"},
		{"internal/report/a.go", `"html/template"`, "func f(s string) any { return template.JSStr(s) }", "html/template.JSStr"},
		{"internal/report/a.go", `"html/template"`, "func f(s string) any { return template.URL(s) }", "html/template.URL"},
		{"internal/identity/a.go", `"crypto/tls"`, "var c = tls.Config{InsecureSkipVerify: true}", "InsecureSkipVerify"},
		{"internal/identity/a.go", `"crypto/tls"`, "func f(c *tls.Config) { c.InsecureSkipVerify = true }", "InsecureSkipVerify"},
		{"internal/cache/a.go", "", "func init() {}", "no init"},
		{"cmd/qualify/a.go", "", "func init() {}", "no init"},
		{"internal/cache/a.go", `_ "image/png"`, "", "a blank import of image/png"},
		{"internal/cache/a.go", `. "strings"`, "", "a dot import of strings"},
		{"internal/cache/a.go", "", "// TO" + "DO: later", "open an issue"},
	}
	for _, test := range tests {
		var imports []string
		if test.imports != "" {
			imports = []string{test.imports}
		}
		t.Run(test.file+" "+test.imports+" "+test.body, func(t *testing.T) {
			wrong := complaints(t, test.file, source(packageOf(test.file), imports, test.body))
			if !slices.ContainsFunc(wrong, func(w string) bool { return strings.Contains(w, test.want) }) {
				t.Errorf("got %q, want %q", wrong, test.want)
			}
		})
	}
}

func packageOf(name string) string {
	if strings.HasPrefix(name, "cmd/") || strings.HasPrefix(name, "hack/") || strings.HasPrefix(name, "bench/") {
		return "main"
	}
	return "p"
}

// A rule that complains of everything would pass the test above.
func TestGoodFilesAreNotComplainedOf(t *testing.T) {
	ours := func(p string) string { return quoted(module + "/" + p) }
	tests := []struct{ file, imports, body string }{
		{"internal/run/a.go", ours("internal/provision"), ""},
		{"cmd/qualify/a.go", ours("internal/provision/all"), ""},
		{"cmd/qualify/a.go", `"os"`, "func main() { os.Exit(1) }"},
		{"internal/provision/new/a.go", ours("internal/provision"), ""},
		{"internal/provision/ec2/a.go", `"github.com/aws/aws-sdk-go-v2/service/ec2"`, ""},
		{"internal/provision/kind/a.go", `"sigs.k8s.io/kind/pkg/cluster"`, "type os struct{}"},
		{"internal/provision/kind/a.go", `"time"`, "var now = time.Now"},
		{"internal/provision/kind/rootfs.go", `"os"`, "func f() { os.Create(``) }"},
		{"cmd/qualify/main.go", `"os"`, "var w = os.Stdout"},
		{"internal/sink/a.go", `"log/slog"`, "var h = slog.NewTextHandler(nil, nil)"},
		{"internal/release/a.go", `"log/slog"`, "var l = slog.New(slog.DiscardHandler)"},
		{"internal/report/a.go", `"html/template"`, "var page = template.Must(template.New(``).Parse(template.HTMLEscapeString(``)))"},
		{"internal/report/a.go", `_ "embed"`, ""},
		{"internal/release/a.go", `"net/url"`, ""},
		{"internal/result/a.go", `"time"`, "type os struct{ Getenv string }\nfunc f(os os, t time.Time) any { return os.Getenv + t.String() }"},
		{"internal/cache/a.go", "", "type t struct{}\nfunc (t) init() {}"},
		// Tests are free, but for what no code may touch.
		{"internal/run/a_test.go", ours("internal/provision/fake"), "func init() {}"},
		{"internal/result/a_test.go", `"os/exec"`, ""},
		{"unheard/a_test.go", `"testing"`, ""},
	}
	for _, test := range tests {
		var imports []string
		if test.imports != "" {
			imports = []string{test.imports}
		}
		if wrong := complaints(t, test.file, source(packageOf(test.file), imports, test.body)); len(wrong) > 0 {
			t.Errorf("%s with %s %s: %q", test.file, test.imports, test.body, wrong)
		}
	}
}

// Every entry of every list does something.
func TestNoEntryIsWithoutEffect(t *testing.T) {
	for _, r := range table {
		dir := strings.Replace(r.dir, "*", "x", 1)
		for _, p := range r.never {
			file := dir + "/a.go"
			if wrong := complaints(t, file, source("p", []string{quoted(strings.Replace(p, "...", "x", 1))}, "")); len(wrong) == 0 {
				t.Errorf("%s: %s is in its row and may be imported", r.dir, p)
			}
		}
	}
	for _, o := range only {
		for _, p := range o.imports {
			if wrong := complaints(t, "hack/x/a.go", source("main", []string{quoted(strings.Replace(p, "...", "x", 1))}, "")); len(wrong) == 0 {
				t.Errorf("%s may be imported by anybody", p)
			}
		}
	}
	for _, u := range uses {
		i := strings.LastIndex(u.name, ".")
		pkg, name := u.name[:i], strings.Replace(u.name[i+1:], "*", "x", 1)
		text := source("p", []string{"q " + quoted(pkg)}, "var x = q."+name)
		if wrong := complaints(t, "internal/result/a.go", text); !slices.ContainsFunc(wrong, func(w string) bool { return strings.Contains(w, u.why) }) {
			t.Errorf("%s may be used: %q", u.name, wrong)
		}
	}
}

func TestARowWithoutAPackageIsFound(t *testing.T) {
	files := tree(t, map[string]string{"x/a.go": "package x"})
	if wrong := checkImports([]row{{dir: "x"}, {dir: "y"}, {dir: "z/*"}, {dir: "w", soon: true}}, files); len(wrong) != 1 || !strings.Contains(wrong[0], "a row for y") {
		t.Errorf("got %q", wrong)
	}
}

// An own row wins over the one for all folders beside it.
func TestOwnRowWins(t *testing.T) {
	rows := []row{{dir: "x/*", never: []string{"fmt"}}, {dir: "x/y", never: []string{"io"}}}
	if r, ok := rowOf(rows, "x/y"); !ok || r.dir != "x/y" {
		t.Errorf("x/y: %+v, %v", r, ok)
	}
	if r, ok := rowOf(rows, "x/z"); !ok || r.dir != "x/*" {
		t.Errorf("x/z: %+v, %v", r, ok)
	}
	for _, dir := range []string{"x", "x/y/z", "y"} {
		if r, ok := rowOf(rows, dir); ok {
			t.Errorf("%s: %+v", dir, r)
		}
	}
}

func TestSizesAreMeasured(t *testing.T) {
	// A function of n lines: its braces are two of them.
	function := func(n int) string { return "func f() {" + strings.Repeat("\n", n-1) + "}\n" }
	literal := func(n int) string { return "var f = func() {" + strings.Repeat("\n", n-1) + "}\n" }
	filled := func(n int) string { return strings.Repeat("\n", n-1) }
	tests := []struct {
		name, text string
		want       string // "" is no complaint
	}{
		{"a.go", function(mostFunction), ""},
		{"a.go", function(mostFunction + 1), "f has 81 lines"},
		{"a.go", literal(mostFunction), ""},
		{"a.go", literal(mostFunction + 1), "function literal has 81 lines"},
		{"a.go", "type t struct{}\nfunc (t) m() {" + strings.Repeat("\n", mostFunction) + "}", "m has 81 lines"},
		{"a.go", filled(mostFile), ""},
		{"a.go", filled(mostFile + 1), "451 lines"},
		{"a_test.go", function(mostFunction+1) + filled(mostFile), ""},
	}
	for _, test := range tests {
		wrong := checkSizes(tree(t, map[string]string{test.name: "package p\n" + test.text}))
		if test.want == "" && len(wrong) > 0 || test.want != "" && (len(wrong) != 1 || !strings.Contains(wrong[0], test.want)) {
			t.Errorf("%s with %d lines: got %q, want %q", test.name, strings.Count(test.text, "\n"), wrong, test.want)
		}
	}
}

func TestWhatIsNotOursIsNotLoaded(t *testing.T) {
	files := tree(t, map[string]string{
		"a.go": "package a", "testdata/b.go": "not Go", "x/testdata/c.go": "not Go", ".git/d.go": "not Go", "results/e.go": "not Go",
		"f.txt": "not Go", "x/g_other.go": "//go:build other\n\npackage x",
	})
	var names []string
	for _, f := range files {
		names = append(names, f.name)
	}
	if want := []string{"a.go", "x/g_other.go"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	if _, err := load(fstest.MapFS{"a.go": {Data: []byte("package")}}); err == nil {
		t.Error("a file that cannot be parsed was not complained of")
	}
}

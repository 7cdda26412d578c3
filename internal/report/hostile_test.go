package report

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestReportHoldsOnlyCleanText walks every string that a writer may show.
func TestReportHoldsOnlyCleanText(t *testing.T) {
	r := Build(hostileRun())
	strs := 0
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			strs++
			if s := v.String(); Clean(s) != s {
				t.Errorf("%s holds %q", path, s)
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if name := v.Type().Field(i).Name; name != "Document" && v.Type() != reflect.TypeFor[time.Time]() {
					walk(path+"."+name, v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(path+"[]", v.Index(i))
			}
		}
	}
	walk("Report", reflect.ValueOf(r))
	if strs < 100 {
		t.Errorf("only %d strings: the walk missed some", strs)
	}
}

// everywhere is the hostile run with another text in place of the payload.
func everywhere(text string) Input {
	in := hostileRun()
	swap := func(s string) string { return strings.ReplaceAll(s, hostile, text) }
	for i := range in.Events {
		e := &in.Events[i]
		e.Cell, e.Suite, e.Text, e.Log = swap(e.Cell), swap(e.Suite), swap(e.Text), swap(e.Log)
		e.Stage, e.Checked, e.Mismatched = swap(e.Stage), []string{text}, []string{text}
		if c := e.Case; c != nil {
			c.Name, c.Message, c.Log = swap(c.Name), swap(c.Message), swap(c.Log)
		}
	}
	swapPlan(&in, swap)
	in.Run = RunInfo{ID: text, Tool: text, Command: text, Host: []Pair{{text, text}}}
	in.Document.Notes = in.Document.Reasons
	return in
}

// payloads are texts that became markup, script, style or links elsewhere.
func payloads() []string {
	return []string{
		`<script>alert(1)</script>`, `"><svg onload=alert(1)>`, `'-alert(1)-'`, `javascript:alert(1)`, `</style><script>alert(1)</script>`,
		`</title><img src=x onerror=alert(1)>`, `--><script>`, `<!--`, `]]>`, `{{.}}`, `{{template "x"}}`, `${alert(1)}`, `&lt;script&gt;`, `&#60;script&#62;`,
		`<a href="data:text/html,x">`, `" autofocus onfocus=alert(1) x="`, `' style='x:expression(1)`, `<iframe srcdoc="x">`, `<base href=//evil>`,
		`<meta http-equiv=refresh content=0>`, "`onmouseover=alert(1)", "\x00<script>", "<scr\x00ipt>", "\u2028alert(1)", "<\u200bscript>", "＜script＞", "\xc0\xbcscript\xc0\xbe",
		"<math><mtext><table><mglyph><style><img src=x onerror=1>", "+ADw-script+AD4-", "%3Cscript%3E", "url(//evil)", "@import '//evil'", "#i-pass\"/><script>",
	}
}

func TestPayloadsInEveryField(t *testing.T) {
	for _, p := range payloads() {
		page := pageOf(t, everywhere(p))
		if err := unsafeMarkup(page); err != nil {
			t.Errorf("%q: %v", p, err)
		}
		if strings.Count(page, "<title>") != 1 || strings.Count(page, "<style>") != 1 {
			t.Errorf("%q: another title or style", p)
		}
	}
}

func FuzzPage(f *testing.F) {
	for _, p := range append(payloads(), hostile, "", "\n") {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 {
			t.Skip("more of the same")
		}
		r := Build(everywhere(text))
		for _, format := range Formats() {
			for _, file := range format.Files(r) {
				var b bytes.Buffer
				if err := file.Write(&b); err != nil {
					t.Fatalf("%s: %v", file.Path, err)
				}
				if !utf8.Valid(b.Bytes()) {
					t.Fatalf("%s is not UTF-8", file.Path)
				}
				if format.Name == "html" {
					if err := unsafeMarkup(b.String()); err != nil {
						t.Fatal(err)
					}
				}
				if format.Name == "junit" {
					if err := ReadJUnit(&b, func(JUnitCase) error { return nil }); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	})
}

// TestPagesInABrowser opens the pages where Chromium is installed: the policy
// must let the page's own style through and find nothing to refuse.
func TestPagesInABrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil || testing.Short() {
		t.Skip("no chromium here, or a short run")
	}
	dir := t.TempDir()
	open := func(name, page string) (dom, console string) {
		path := filepath.Join(dir, name+".html")
		if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
			"--enable-logging=stderr", "--user-data-dir="+filepath.Join(dir, "profile"), "--dump-dom", "file://"+path)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, errs.String())
		}
		return out.String(), strings.Join(regexp.MustCompile(`(?m)^.*CONSOLE.*$`).FindAllString(errs.String(), -1), "\n")
	}
	for name, want := range map[string]string{"good": "<h1>Qualified</h1>", "failing": "<h1>Not qualified</h1>", "lost": "<h1>Inconclusive</h1>", "hostile": "<h1>Not qualified</h1>"} {
		dom, console := open(name, pageOf(t, samples()[name]))
		if console != "" || !strings.Contains(dom, want) {
			t.Errorf("%s: the console says %q; the page has %q: %v", name, console, want, strings.Contains(dom, want))
		}
		if strings.Contains(dom, "<script") || strings.Contains(dom, "<img") {
			t.Errorf("%s: text became an element", name)
		}
	}
	// The guard sees a violation when there is one.
	if _, console := open("bad", strings.Replace(pageOf(t, goodRun()), "<h1>", `<h1 style="color:red">`, 1)); console == "" {
		t.Error("a page that breaks its policy goes unnoticed")
	}
}

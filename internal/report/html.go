package report

import (
	"crypto/sha256"
	_ "embed" // for the page's template and stylesheet
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/result"
)

//go:embed page.html.tmpl
var pageText string

//go:embed page.css
var pageStyle string

// WriteHTML writes the page: one file that loads nothing and runs nothing, so
// that it reads the same from a disk, a CI artifact store with a strict
// content policy, or a mail. It has no script at all: text from a cluster
// under test cannot become code on a page that allows none.
func WriteHTML(w io.Writer, r Report) error {
	t, err := pageTemplate()
	if err != nil {
		return fmt.Errorf("writing html: %w", err)
	}
	if err := t.Execute(w, newPage(r)); err != nil {
		return fmt.Errorf("writing html: %w", err)
	}
	return nil
}

// pageTemplate joins template and stylesheet before parsing, so that the
// style is part of the template's own text and needs no cast to get past the
// escaper. The page names the style's hash as the only style it may have.
func pageTemplate() (*template.Template, error) {
	style := stripComments(pageStyle)
	sum := sha256.Sum256([]byte(style))
	text := strings.NewReplacer(
		"@@STYLE@@", style,
		"@@HASH@@", base64.StdEncoding.EncodeToString(sum[:]),
	).Replace(pageText)
	return template.New("page").Funcs(pageFuncs()).Parse(text)
}

// stripComments removes CSS comments: the escaper would do it later, and the
// hash has to be that of what reaches the browser.
func stripComments(css string) string {
	var b strings.Builder
	for {
		head, rest, found := strings.Cut(css, "/*")
		b.WriteString(head)
		if !found {
			return b.String()
		}
		_, css, _ = strings.Cut(rest, "*/")
	}
}

func pageFuncs() template.FuncMap {
	return template.FuncMap{
		"anchor":  func(cellID string) string { return "cell-" + slug(cellID) },
		"clock":   clock,
		"iso":     func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"junit":   JUnitFile,
		"orNone":  orNone,
		"hatched": func(o result.Outcome) bool { return o == result.NotRun || o == result.Error },
		"plural":  plural,
		"seconds": duration,
		"verdict": VerdictText,
		"word":    outcomeWord,
	}
}

// clock writes a time for people.
func clock(t time.Time) string {
	if t.IsZero() {
		return noEvidence
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// duration writes seconds for people.
func duration(seconds float64) string {
	seconds = finite(seconds)
	if seconds < 9.95 {
		return strconv.FormatFloat(seconds, 'f', 1, 64) + " s"
	}
	n := int64(min(seconds, 1e12) + 0.5)
	switch h, m, s := n/3600, n/60%60, n%60; {
	case h > 0:
		return fmt.Sprintf("%d h %d min", h, m)
	case m > 0:
		return fmt.Sprintf("%d min %d s", m, s)
	default:
		return fmt.Sprintf("%d s", s)
	}
}

func outcomeWord(o result.Outcome) string {
	switch o {
	case result.Pass:
		return "passed"
	case result.Fail:
		return "failed"
	case result.Error:
		return "errored"
	case result.Skip:
		return "skipped"
	default:
		return "not run"
	}
}

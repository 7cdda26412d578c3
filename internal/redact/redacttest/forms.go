package redacttest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
)

// Form is a way in which a secret is printed.
type Form struct {
	Name string
	// Of prints a value, among other text.
	Of func(value string) string
	// Core is what of the printed text nothing but the value explains.
	Core func(value string) string
}

// Forms returns every way that a registered secret must be found in.
func Forms() []Form {
	same := func(text func(string) string) Form { return Form{Of: text, Core: text} }
	named := func(name string, f Form) Form { f.Name = name; return f }
	forms := []Form{
		named("as it is", same(func(v string) string { return v })),
		named("trimmed", same(strings.TrimSpace)),
		named("in quotes", Form{Of: func(v string) string { return `x="` + v + `" y` }, Core: strings.TrimSpace}),
		named("as a Go string", same(func(v string) string { return strings.Trim(strconv.Quote(v), `"`) })),
		named("as JSON", same(jsonText)),
		named("as JSON in JSON", same(func(v string) string { return jsonText(jsonText(v)) })),
		named("for a URL's query", same(url.QueryEscape)),
		named("for a URL's path", same(url.PathEscape)),
		named("in hexadecimal", same(func(v string) string { return hex.EncodeToString([]byte(v)) })),
		named("in upper hexadecimal", same(func(v string) string { return strings.ToUpper(hex.EncodeToString([]byte(v))) })),
		named("in HTML", same(template.HTMLEscapeString)),
		named("indented", same(func(v string) string { return "    " + strings.ReplaceAll(v, "\n", "\n    ") })),
		named("in base64, wrapped", Form{
			Of: func(v string) string { return wrapped(base64.StdEncoding.EncodeToString([]byte(v)), 76) },
			Core: func(v string) string {
				return strings.Split(wrapped(base64.StdEncoding.EncodeToString([]byte(v)), 76), "\n")[0]
			},
		}),
	}
	for before := range 3 {
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.StdEncoding, "URL-safe base64": base64.URLEncoding} {
			forms = append(forms, within(name, encoding, before))
		}
	}
	return forms
}

// within encodes a value behind so many other bytes and before some more.
func within(name string, encoding *base64.Encoding, before int) Form {
	text := func(v string) string {
		return encoding.EncodeToString([]byte(strings.Repeat(":", before) + v + "\nend"))
	}
	return Form{
		Name: fmt.Sprintf("in %s behind %d bytes", name, before),
		Of:   text,
		Core: func(v string) string { return text(v)[2:][:len(v)] }, // within the 4/3 that the value takes
	}
}

func jsonText(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		panic(err) // impossible: it is a string
	}
	return string(data[1 : len(data)-1])
}

func wrapped(text string, width int) string {
	var lines []string
	for len(text) > width {
		lines = append(lines, text[:width])
		text = text[width:]
	}
	return strings.Join(append(lines, text), "\n")
}

// part is how much of a secret counts as one.
const part = 16

// linesOf are the parts of a printed secret that stand alone: each line of a
// key, but not the armor around it.
func linesOf(printed string) []string {
	var lines []string
	for _, line := range strings.Split(strings.ReplaceAll(printed, `\n`, "\n"), "\n") {
		line = strings.TrimSpace(strings.Trim(line, `\`))
		if len(line) >= 8 && !strings.HasPrefix(line, "-----") {
			lines = append(lines, line)
		}
	}
	return lines
}

// Shown returns a part of a printed secret that can be seen in a text, or "".
// A few characters at an end, which may be those of the text around, are none.
func Shown(text, printed string) string {
	var h Hunt
	h.Add("it", printed)
	return h.Seen(text)["it"]
}

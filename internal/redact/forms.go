package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"html/template"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// formsOf are the texts by which a secret shows: as it is, and in each
// encoding that it is likely to be printed in. The same text may be among them
// more than once.
//
// A value of several lines, such as a key, is printed line by line, indented
// or behind a log's prefix: each line is a form. Encodings take it as a whole.
func formsOf(value string) []string {
	var forms []string
	for _, line := range strings.Split(value, "\n") {
		line = strings.TrimSpace(line)
		if len(line) >= minSecret && !armor.MatchString(line) {
			forms = append(forms, escapedForms(line)...)
		}
	}
	forms = append(forms, encodedForms(value)...)
	kept := forms[:0]
	for _, form := range forms {
		if len(form) >= minSecret {
			kept = append(kept, form)
		}
	}
	return kept
}

// armor is a line around a key; every key has the same ones.
var armor = regexp.MustCompile(`^-----[A-Z0-9 ]+-----$`)

// escapedForms are a text as it stands between quotes of some language.
func escapedForms(text string) []string {
	return []string{
		text,
		jsonText(text, true), jsonText(text, false),
		strings.ReplaceAll(jsonText(text, false), "/", `\/`),                         // PHP and others write it so
		jsonText(jsonText(text, true), true), jsonText(jsonText(text, false), false), // JSON in a string of JSON
		unquoted(strconv.Quote(text)), unquoted(strconv.QuoteToASCII(text)),
		strings.ReplaceAll(text, `'`, `'\''`), // shells
		strings.ReplaceAll(text, `'`, `''`),   // YAML
		html.EscapeString(text), template.HTMLEscapeString(text), strings.ReplaceAll(html.EscapeString(text), "+", "&#43;"),
		url.QueryEscape(text), url.PathEscape(text), lowerPercent(url.QueryEscape(text)), lowerPercent(url.PathEscape(text)),
	}
}

func unquoted(text string) string { return text[1 : len(text)-1] }

func jsonText(text string, markup bool) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(markup)
	if encoder.Encode(text) != nil { // impossible: it is a string
		return text
	}
	return unquoted(strings.TrimSuffix(b.String(), "\n"))
}

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

func lowerPercent(text string) string { return percent.ReplaceAllStringFunc(text, strings.ToLower) }

// encodedForms are the encodings of a whole value.
func encodedForms(value string) []string {
	bytes := hex.EncodeToString([]byte(value))
	forms := []string{bytes, strings.ToUpper(bytes), url.QueryEscape(value), url.PathEscape(value), lowerPercent(url.QueryEscape(value)), lowerPercent(url.PathEscape(value))}
	for before := range 3 {
		forms = append(forms, base64Within(base64.RawStdEncoding, value, before), base64Within(base64.RawURLEncoding, value, before))
	}
	return forms
}

// base64Within is what of a base64 text is fixed by a value that stands in the
// encoded bytes after so many (modulo 3) other ones: the characters at both
// ends mix with their neighbours.
func base64Within(encoding *base64.Encoding, value string, before int) string {
	text := encoding.EncodeToString([]byte(strings.Repeat("\x00", before) + value))
	first := (before*8 + 5) / 6
	last := (before + len(value)) * 8 / 6
	return text[first:last]
}

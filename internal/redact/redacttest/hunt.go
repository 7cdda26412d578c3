package redacttest

import "strings"

// Hunt looks for many printed secrets at once in a large text, as Shown does
// for one.
type Hunt struct {
	parts map[string]string // a part of a printed secret -> what it is
	short map[string]string // those that are shorter than a part
}

// Add begins to look for a secret as it was printed.
func (h *Hunt) Add(what, printed string) {
	if h.parts == nil {
		h.parts, h.short = map[string]string{}, map[string]string{}
	}
	for _, line := range linesOf(printed) {
		if len(line) <= part {
			h.short[line] = what
		}
		for i := 0; i+part <= len(line); i++ {
			h.parts[line[i:i+part]] = what
		}
	}
}

// Seen returns what of it can be seen in a text, each with the first part that
// shows it.
func (h *Hunt) Seen(text string) map[string]string {
	seen := map[string]string{}
	note := func(what, part string) {
		if _, before := seen[what]; !before {
			seen[what] = part
		}
	}
	for i := 0; i+part <= len(text); i++ {
		if what, is := h.parts[text[i:i+part]]; is {
			note(what, text[i:i+part])
		}
	}
	for short, what := range h.short {
		if strings.Contains(text, short) {
			note(what, short)
		}
	}
	return seen
}

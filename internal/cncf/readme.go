package cncf

import (
	"fmt"
	"regexp"
	"strings"
)

// The least that a README must hold to be instructions: words beside links and
// headings, and either a command or some steps. A person decides whether the
// instructions are right; this finds the READMEs that have none.
const (
	fewestWords = 25
	fewestSteps = 3
)

var (
	linkTarget = regexp.MustCompile(`\]\([^)]*\)|<https?://[^>]*>|https?://\S+`)
	listItem   = regexp.MustCompile(`^\s*(?:[-*+]|[0-9]+[.)])\s+\S`)
)

// prose is what a README consists of.
type prose struct{ words, commands, steps int }

func readProse(text string) prose {
	var p prose
	fence := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		mark := ""
		if strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~") {
			mark = trimmed[:3]
		}
		switch {
		case fence != "" && mark == fence:
			fence = ""
		case fence == "" && mark != "":
			fence = mark
		case trimmed == "":
		case fence != "" || strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t") || strings.HasPrefix(trimmed, "$ "):
			p.commands++
		case strings.HasPrefix(trimmed, "#"):
		default:
			if listItem.MatchString(line) {
				p.steps++
			}
			p.words += len(strings.Fields(linkTarget.ReplaceAllString(line, "")))
		}
	}
	return p
}

func checkReadme(s *submission) []breach {
	if s.readme == "" {
		return nil
	}
	p := readProse(s.readme)
	if p.words >= fewestWords && (p.commands > 0 || p.steps >= fewestSteps) {
		return nil
	}
	return []breach{{got: fmt.Sprintf("%d words beside links and headings, %d lines of commands, %d steps", p.words, p.commands, p.steps)}}
}

var (
	badSonobuoy = regexp.MustCompile(`(?:^|[^0-9.])v?0\.53\.[01](?:[^0-9]|$)`)
	sonobuoy    = regexp.MustCompile(`(?i)sonobuoy`)
)

// usesBadSonobuoy finds a line with a bad version that is about Sonobuoy, or
// that stands close below one that is.
func usesBadSonobuoy(text string) (line string, found bool) {
	const near = 3
	distance := near + 1
	for line := range strings.Lines(text) {
		if distance++; sonobuoy.MatchString(line) {
			distance = 0
		}
		if distance <= near && badSonobuoy.MatchString(line) {
			return strings.TrimSpace(line), true
		}
	}
	return "", false
}

func checkSonobuoy(s *submission) []breach {
	if line, found := usesBadSonobuoy(s.readme); found {
		return []breach{{got: ReadmeFile + ": " + short(line)}}
	}
	if s.log != nil && s.log.sonobuoy != "" {
		return []breach{{got: LogFile + ": " + short(s.log.sonobuoy)}}
	}
	return nil
}

package main

import (
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

// screen shows how a run goes on. Nothing that it does may hold the run up.
type screen interface {
	// show takes news: a remark, a source.Step, a begun or a result.Event.
	show(at time.Time, news any)
	// close leaves the last of it visible. It may be called twice.
	close()
}

// console is where the verbs tell how they get on, on stderr.
type console struct{ screen }

// newConsole chooses: a live view on a terminal with somebody before it, lines
// everywhere else.
func (w wiring) newConsole(stderr io.Writer, noLive bool) console {
	terminal := w.terminalOf(stderr)
	if terminal == nil || noLive || w.on("CI") {
		return console{newPlain(stderr, progress{started: now()})}
	}
	return console{redacting{newLive(terminal, w.colourful(stderr)), w.sink.Text}}
}

// redacting takes secrets out of news. A live view draws on the terminal
// itself, in parts of lines in which nothing could be found any more.
type redacting struct {
	screen
	text func(string) string
}

// show hands redacted news on.
func (r redacting) show(at time.Time, news any) {
	switch n := news.(type) {
	case remark:
		news = remark(r.text(string(n)))
	case source.Step:
		n.Name = r.text(n.Name)
		news = n
	case result.Event:
		news = n.WithText(r.text)
	}
	r.screen.show(at, news)
}

// noLiveFlag adds the flag that switches the live view off.
func noLiveFlag(cmd *cobra.Command, off *bool) {
	cmd.Flags().BoolVar(off, "no-live", false, "print lines, on a terminal too")
}

// Write shows what a logger says.
func (c console) Write(p []byte) (int, error) {
	c.line(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// line shows one line of the caller's.
func (c console) line(text string) { c.show(now(), remark(text)) }

// step shows a step of a release build.
func (c console) step(s source.Step) { c.show(now(), s) }

// begin shows what the run will do, and what of it was done by earlier
// processes.
func (c console) begin(id string, plan run.Plan, past []result.Event) {
	c.show(now(), begun{id, plan, past})
}

// event shows what the journal has just recorded.
func (c console) event(e result.Event) { c.show(now(), e) }

// headline is text from outside on one line that is fit for a terminal: the
// first line that is not blank, cut at most characters.
func headline(text string, most int) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			return shorten(strings.ReplaceAll(report.Console(line), "\t", " "), most)
		}
	}
	return ""
}

// shorten cuts text at most characters, and shows that it did.
func shorten(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

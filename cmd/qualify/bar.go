package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// bar shows how transfers get on: on a terminal in one line that is drawn
// again, elsewhere in a line now and then.
type bar struct {
	out      io.Writer // lines
	terminal *os.File  // nil where there is none
	text     func(string) string

	mu      sync.Mutex
	began   time.Time
	shown   time.Time
	drawn   bool
	files   map[string]transfer
	current string
}

// transfer is how far one file is, in bytes; size is -1 where nobody says it.
type transfer struct{ done, size int64 }

const (
	redraw = 100 * time.Millisecond
	remind = 10 * time.Second
)

func (w wiring) newBar(stderr io.Writer, noLive bool) *bar {
	b := &bar{out: stderr, text: w.sink.Text, began: now(), shown: now(), files: map[string]transfer{}}
	if !noLive && !w.on("CI") {
		b.terminal = w.terminalOf(stderr)
	}
	return b
}

// progress is told by the store of each chunk.
func (b *bar) progress(file string, done, size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.files[file], b.current = transfer{done, size}, file
	at, every := now(), remind
	if b.terminal != nil {
		every = redraw
	}
	if at.Sub(b.shown) < every {
		return
	}
	b.shown = at
	line := b.line(at)
	if b.terminal == nil {
		fmt.Fprintln(b.out, line)
		return
	}
	width, _, err := term.GetSize(int(b.terminal.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	b.drawn = true
	fmt.Fprintf(b.terminal, "\r\x1b[K%s", headline(b.text(line), width-1))
}

// line tells how much of what has begun is done, and when it will be.
func (b *bar) line(at time.Time) string {
	var done, size int64
	open := 0
	for _, f := range b.files {
		done += f.done
		size += max(f.size, f.done)
		if f.size < 0 || f.done < f.size {
			open++
		}
	}
	rate := float64(done) / max(at.Sub(b.began).Seconds(), 0.001)
	text := fmt.Sprintf("fetching: %s of %s, %d files begun, %d open, %s/s", bytesText(done), bytesText(size), len(b.files), open, bytesText(int64(rate)))
	if left := size - done; left > 0 && rate > 0 {
		text += fmt.Sprintf(", %s left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
	}
	return text + ": " + b.current
}

// Write shows a line of a logger's.
func (b *bar) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wipe()
	fmt.Fprintln(b.out, strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// close takes the bar away. It may be called twice.
func (b *bar) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wipe()
}

func (b *bar) wipe() {
	if b.drawn {
		fmt.Fprint(b.terminal, "\r\x1b[K")
		b.drawn = false
	}
}

// bytesText is a number of bytes for people, in powers of 1000 as disks and
// networks are sold.
func bytesText(n int64) string {
	value, unit := float64(n), "B"
	for _, next := range []string{"kB", "MB", "GB", "TB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1000, next
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

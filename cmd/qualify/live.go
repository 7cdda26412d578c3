package main

import (
	"os"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// live is the screen of terminals: a view of everything that goes on, redrawn
// in place.
//
// It changes nothing of the terminal that would have to be undone: no raw
// mode, no other screen, and at the end of each write the cursor is visible and
// in the first column. So there is no way to end this process, a kill among
// them, that leaves a terminal to repair; and Ctrl-C, as everywhere, is a
// SIGINT that the terminal sends. The price is that keys are echoed; the view
// is drawn anew every other second, and starts each write at the line's start.
type live struct {
	out     *os.File
	program *tea.Program
	ended   chan struct{} // the program has
	once    sync.Once

	mu sync.Mutex
	progress
	instead screen // where news go once the view has failed
}

// pace is how often the view is looked at again, and repaint after how many
// times it is drawn from scratch.
const (
	pace    = 250 * time.Millisecond
	repaint = 8
)

func newLive(terminal *os.File, colour bool) *live {
	l := &live{out: terminal, ended: make(chan struct{}), progress: progress{started: now()}}
	profile := colorprofile.Ascii
	if colour {
		profile = colorprofile.ANSI
	}
	l.program = tea.NewProgram(model{live: l, colour: colour},
		tea.WithInput(nil), tea.WithOutput(atColumnOne{terminal}), tea.WithoutSignalHandler(),
		tea.WithColorProfile(profile), tea.WithFPS(10),
	)
	go func() {
		defer close(l.ended)
		if _, err := l.program.Run(); err != nil {
			l.fail(err)
		}
	}()
	return l
}

// fail goes on with lines: the view is not worth a run.
func (l *live) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.instead = newPlain(l.out, l.progress)
	l.instead.show(now(), remark("the live view has ended: "+err.Error()))
}

// show never waits for the terminal: the program looks by itself.
func (l *live) show(at time.Time, news any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.instead != nil {
		l.instead.show(at, news)
		return
	}
	l.take(at, news)
}

// parting is how long the terminal has for the last view.
const parting = 2 * time.Second

func (l *live) close() {
	l.once.Do(func() {
		go l.program.Quit()
		select {
		case <-l.ended:
		case <-time.After(parting):
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.instead != nil {
			l.instead.close()
		}
	})
}

// draw is the view of the moment.
func (l *live) draw(f frame) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return f.view(&l.progress)
}

// atColumnOne begins each write in the first column, whatever was echoed
// there since the last one.
type atColumnOne struct{ *os.File }

// Write writes p, from the first column on.
func (t atColumnOne) Write(p []byte) (int, error) {
	n, err := t.File.Write(append([]byte{'\r'}, p...))
	return max(n-1, 0), err
}

// model is the program around the view.
type model struct {
	live          *live
	width, height int
	colour        bool
	ticks         int
}

// shapeOfTheUser stands, without blinking, for the style 0: no sequence is
// written for it, and none has to be undone.
const shapeOfTheUser tea.CursorShape = -1

type tick struct{}

func next() tea.Cmd { return tea.Tick(pace, func(time.Time) tea.Msg { return tick{} }) }

// Init starts the clock.
func (m model) Init() tea.Cmd { return next() }

// Update follows the clock and the terminal's size.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tick:
		m.ticks++
		if m.ticks%repaint == 0 {
			return m, tea.Batch(next(), tea.ClearScreen)
		}
		return m, next()
	}
	return m, nil
}

// View draws the moment.
func (m model) View() tea.View {
	text := ""
	if m.width > 0 {
		text = m.live.draw(frame{now: now(), width: m.width, height: m.height, colour: m.colour})
	}
	view := tea.NewView(text)
	view.DisableBracketedPasteMode = true
	view.Cursor = &tea.Cursor{Position: tea.Position{Y: strings.Count(text, "\n")}, Shape: shapeOfTheUser}
	return view
}

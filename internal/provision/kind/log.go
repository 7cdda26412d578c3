package kind

import (
	"fmt"
	"io"
	"sync"
	"time"

	"sigs.k8s.io/kind/pkg/log"

	"github.com/qualify-dev/qualify/internal/sink"
)

// fileLogger lets kind's library write its log to a file of the cell.
func fileLogger(s *sink.Sink, file string) (log.Logger, func(), error) {
	f, err := s.Append(file)
	if err != nil {
		return nil, nil, fmt.Errorf("opening kind's log: %w", err)
	}
	return &logger{out: f}, func() { _ = f.Close() }, nil
}

// logger writes kind's messages with their time. It is not a terminal, so
// kind's library draws no spinners into it.
type logger struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *logger) write(level, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, "%s %s %s\n", time.Now().UTC().Format(time.RFC3339), level, text)
}

// Warn is part of kind's Logger.
func (l *logger) Warn(text string) { l.write("warn", text) }

// Warnf is part of kind's Logger.
func (l *logger) Warnf(format string, args ...any) { l.write("warn", fmt.Sprintf(format, args...)) }

// Error is part of kind's Logger.
func (l *logger) Error(text string) { l.write("error", text) }

// Errorf is part of kind's Logger.
func (l *logger) Errorf(format string, args ...any) { l.write("error", fmt.Sprintf(format, args...)) }

// V is part of kind's Logger: details go to the file at every level.
func (l *logger) V(log.Level) log.InfoLogger { return info{l} }

type info struct{ l *logger }

// Info is part of kind's InfoLogger.
func (i info) Info(text string) { i.l.write("info", text) }

// Infof is part of kind's InfoLogger.
func (i info) Infof(format string, args ...any) { i.l.write("info", fmt.Sprintf(format, args...)) }

// Enabled is part of kind's InfoLogger.
func (i info) Enabled() bool { return true }

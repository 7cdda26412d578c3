package specs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// failures collects what an env of a test reports instead of ending a spec.
type failures struct{ messages []string }

func (f *failures) env() *env {
	fail := func(message string, _ ...int) { f.messages = append(f.messages, message) }
	return &env{Gomega: gomega.NewGomega(fail), fail: fail}
}

func TestOK(t *testing.T) {
	got := &failures{}
	got.env().ok(nil, "doing nothing")
	got.env().ok(errors.New("refused"), "creating pod %s", "p")
	if len(got.messages) != 1 || got.messages[0] != "creating pod p: refused" {
		t.Errorf("got %q", got.messages)
	}
}

func TestWait(t *testing.T) {
	calls, hopes := 0, 0
	tests := map[string]struct {
		check func(context.Context) error
		want  []string // parts of the failure; none means that it is content
	}{
		"at once": {check: func(context.Context) error { return nil }},
		"second try": {check: func(context.Context) error {
			if calls++; calls < 2 {
				return errors.New("not yet")
			}
			return nil
		}},
		"never": {check: func(context.Context) error { return errors.New("still 2 of 3") }, want: []string{"waiting for: the sun", "Timed out", "last seen: still 2 of 3"}},
		"hopeless": {check: func(context.Context) error {
			if hopes++; hopes < 2 {
				return errors.New("not yet")
			}
			return final("it is gone")
		}, want: []string{"waiting for: the sun", "stop trying", "it is gone"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := &failures{}
			begun := time.Now()
			got.env().wait(context.Background(), time.Second, "the sun", tc.check)
			if name == "hopeless" && time.Since(begun) > 900*time.Millisecond {
				t.Errorf("it went on for %s after it was told to stop", time.Since(begun))
			}
			all := strings.Join(got.messages, "\n")
			if len(tc.want) == 0 && all != "" {
				t.Errorf("failed: %s", all)
			}
			for _, part := range tc.want {
				if !strings.Contains(all, part) {
					t.Errorf("failure %q does not contain %q", all, part)
				}
			}
		})
	}
}

package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/result"
)

// buffer is a stream that several goroutines write to.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestPlain(t *testing.T) {
	var out buffer
	told := newTold()
	p := newPlain(&out, told.progress)
	show := func(seconds float64, news ...any) {
		told.now = told.now.Add(time.Duration(seconds * float64(time.Second)))
		for _, n := range news {
			p.show(told.now, n)
		}
	}
	const cell = "debian-12"
	show(0, remark("warning: m.yaml:3:1: a rule matches nothing"))
	step := source.Step{N: 2, Total: 22, Name: "etcd", Done: true, Took: 95 * time.Second}
	show(95, step)
	step.Cached, step.Without = true, "etcdctl v3.5.24"
	show(0, step)
	show(1, begunWith(cell))
	show(1, started(cell, "create"))
	show(61, ended(cell, "create", 61.04))
	show(0, result.Event{Kind: result.IdentityMatch, Cell: cell, Stage: "before", Checked: []string{"a", "b"}, Mismatched: []string{"b"}})
	show(0, started(cell, "smoke"), caseOf(cell, "smoke", "dns", result.Pass, ""))
	show(9, caseOf(cell, "smoke", hostile, result.Fail, "\ntimed out\nafter 9 s"))
	show(0, result.Event{Kind: result.SuiteEnded, Cell: cell, Suite: "smoke", Text: "killed"})
	show(0, result.Event{Kind: result.ProductFault, Cell: cell, Text: "kubelet: exit status 1\nits log"})
	show(3600, result.Event{Kind: result.Leftover, Cell: cell, Text: "network q-1"})
	p.close()
	p.close()
	want := `      0s  warning: m.yaml:3:1: a rule matches nothing
   1m35s  release: 2 of 22, etcd: made in 1m35s
   1m35s  release: 2 of 22, etcd: from the cache, without etcdctl v3.5.24
   1m36s  run 20261122-100000-0a1b2c3d: 1 cell(s), plan
   2m38s  debian-12: create: 61.0 s
   2m38s  debian-12: identity before the suites: 2 compared, 1 differ
   2m47s  debian-12: smoke: fail: ^[]0;owned^G[sig-network] Services <U+202E>should: timed out
   2m47s  debian-12: smoke: 2 of 3 specs ran: killed
   2m47s  debian-12: product-fault: kubelet: exit status 1
 1h2m47s  debian-12: leftover: network q-1
`
	if got := out.String(); got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
}

// A long step says that it is alive; a short one, and none, say nothing.
func TestPlainIsAlive(t *testing.T) {
	var out buffer
	told := newTold()
	told.after(0, begunWith("a"), started("a", "conformance"), caseOf("a", "conformance", "x", result.Pass, ""))
	p := newPlain(&out, told.progress)
	defer p.close()
	p.alive(told.now.Add(29 * time.Second))
	if got := out.String(); got != "" {
		t.Errorf("after 29 s it says %q", got)
	}
	p.alive(told.now.Add(91 * time.Second))
	if got := out.String(); got != "   1m31s  … a: conformance: spec 1 of 42, for 1m31s\n" {
		t.Errorf("after 91 s it says %q", got)
	}
	p.show(told.now, ended("a", "conformance", 92))
	before := out.String()
	p.alive(told.now.Add(time.Hour))
	if got := out.String(); got != before {
		t.Errorf("when nothing goes on it says %q", got)
	}
}

func TestPlainShowsEveryLineOfARemark(t *testing.T) {
	var out buffer
	p := newPlain(&out, newTold().progress)
	defer p.close()
	p.show(p.started, remark("one\n::error::two\n"))
	if got := out.String(); got != "      0s  one\n      0s  : :error::two\n" {
		t.Errorf("it says %q", got)
	}
}

// Suites emit from goroutines of their own, and the heart beats in another.
func TestPlainIsSafeForManyGoroutines(t *testing.T) {
	var out buffer
	p := newPlain(&out, newTold().progress)
	p.show(p.started, begunWith("a"))
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			p.show(now(), caseOf("a", "smoke", fmt.Sprint(i), result.Fail, "no"))
		})
	}
	all.Wait()
	p.close()
	if lines := strings.Count(out.String(), "smoke: fail: "); lines != 20 {
		t.Errorf("%d lines for 20 failures", lines)
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

// told is a progress that is told things by a clock that it is told too.
type told struct {
	progress
	now time.Time
}

func newTold() *told {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	return &told{progress: progress{started: at}, now: at}
}

// after lets time pass, and then tells.
func (t *told) after(seconds float64, news ...any) {
	t.now = t.now.Add(time.Duration(seconds * float64(time.Second)))
	for _, n := range news {
		t.take(t.now, n)
	}
}

// build tells a release build of so many steps, of which some are done.
func (t *told) build(total, done int) {
	for n := 1; n <= min(done+1, total); n++ {
		step := source.Step{N: n, Total: total, Name: fmt.Sprintf("component-%d", n)}
		t.after(0, step)
		if n > done {
			return
		}
		step.Done, step.Cached, step.Took = true, n%3 == 0, 2500*time.Millisecond
		t.after(2.5, step)
	}
}

func begunWith(cells ...string) begun {
	b := begun{id: "20261122-100000-0a1b2c3d"}
	for _, id := range cells {
		b.plan.Cells = append(b.plan.Cells, run.PlanCell{ID: id, Suites: []result.PlanSuite{
			{Name: "smoke", Expected: []string{"dns", "exec", "job"}},
			{Name: "conformance", Expected: make([]string, 42)},
		}})
	}
	return b
}

func started(cell, phase string) result.Event {
	return result.Event{Kind: result.PhaseStarted, Cell: cell, Phase: phase}
}

func ended(cell, phase string, seconds float64) result.Event {
	return result.Event{Kind: result.PhaseEnded, Cell: cell, Phase: phase, Seconds: seconds}
}

func caseOf(cell, suite, name string, outcome result.Outcome, message string) result.Event {
	return result.Event{Kind: result.CaseEnded, Cell: cell, Suite: suite, Case: &result.Case{Name: name, Outcome: outcome, Attempt: 1, Message: message}}
}

// brought brings a cell up to its smoke suite.
func (t *told) brought(cell string) {
	for _, phase := range []string{"node-image", "create", "ready", "identify-before"} {
		t.after(0, started(cell, phase))
		t.after(31.4, ended(cell, phase, 31.4))
	}
	t.after(0, started(cell, "smoke"))
	for _, name := range []string{"dns", "exec", "job"} {
		t.after(9, caseOf(cell, "smoke", name, result.Pass, ""))
	}
	t.after(1, ended(cell, "smoke", 28))
}

const hostile = "\x1b]0;owned\x07[sig-network] Services \u202eshould\r\n::error::be\tserved"

// testing17 is a run in the middle of its conformance suite.
func testing17() *told {
	t := newTold()
	t.build(4, 4)
	t.after(1, begunWith("debian-12-v1-34-4-kind-0a1b"))
	t.brought("debian-12-v1-34-4-kind-0a1b")
	t.after(0, started("debian-12-v1-34-4-kind-0a1b", "conformance"))
	for i := range 17 {
		outcome, message := result.Pass, ""
		if i == 11 {
			outcome, message = result.Fail, "\n  timed out waiting for the condition\x1b[2J\nIn [It] at: service.go:12"
		}
		t.after(6, caseOf("debian-12-v1-34-4-kind-0a1b", "conformance", fmt.Sprintf("%s, variant %d", hostile, i), outcome, message))
	}
	t.after(3.4)
	return t
}

// scenes are moments of runs.
func scenes() map[string]func() *told {
	return map[string]func() *told{
		"nothing": newTold,
		"building": func() *told {
			t := newTold()
			t.build(22, 13)
			t.after(65)
			return t
		},
		"testing": testing17,
		"broken": func() *told {
			t := newTold()
			t.after(1, begunWith("debian-12-v1-34-4-kind-0a1b"))
			t.after(0, started("debian-12-v1-34-4-kind-0a1b", "create"))
			t.after(240, ended("debian-12-v1-34-4-kind-0a1b", "create", 240),
				result.Event{Kind: result.ProductFault, Cell: "debian-12-v1-34-4-kind-0a1b", Text: "starting on node a: kubelet: exit status 1"},
				started("debian-12-v1-34-4-kind-0a1b", "down"))
			t.after(2, remark("stopping: a second signal ends at once, and leaves the rest to qualify gc"))
			return t
		},
		"cells": func() *told {
			t := newTold()
			t.after(1, begunWith("a-v1", "b-v1", "c-v1", "d-v1"))
			t.brought("a-v1")
			t.after(0, result.Event{Kind: result.LeaseClosed, Cell: "a-v1"})
			t.after(0, started("b-v1", "create"), result.Event{Kind: result.InfraFault, Cell: "b-v1", Text: "no space left on device"},
				result.Event{Kind: result.LeaseClosed, Cell: "b-v1"})
			t.after(0, started("c-v1", "create"))
			t.after(75)
			return t
		},
		"together": func() *told {
			t := newTold()
			t.build(4, 4)
			t.after(1, begunWith("debian-12-v1-33-13-kind-os-30842ef4", "debian-12-v1-34-4-kind-os-7d65ec0e", "debian-11-v1-33-13-kind-v1-7-32-5993dfeb", "debian-11-v1-34-4-kind-v1-7-32-b53d0f05"))
			t.brought("debian-12-v1-33-13-kind-os-30842ef4")
			t.after(0, started("debian-11-v1-33-13-kind-v1-7-32-5993dfeb", "create"), started("debian-12-v1-34-4-kind-os-7d65ec0e", "smoke"),
				caseOf("debian-12-v1-34-4-kind-os-7d65ec0e", "smoke", "dns", result.Fail, "no answer"))
			t.after(3, result.Event{Kind: result.LeaseClosed, Cell: "debian-12-v1-33-13-kind-os-30842ef4"})
			t.after(72)
			return t
		},
		"crowd": func() *told {
			t := newTold()
			var ids []string
			for i := range 40 {
				ids = append(ids, fmt.Sprintf("cell-%d", i))
			}
			t.after(1, begunWith(ids...))
			for i, id := range ids[:30] {
				t.after(1, started(id, "create"))
				if i == 7 {
					t.after(0, result.Event{Kind: result.InfraFault, Cell: id, Text: "no space left on device"})
				}
				if i < 26 {
					t.after(1, ended(id, "create", 1), result.Event{Kind: result.LeaseClosed, Cell: id})
				}
			}
			t.after(5)
			return t
		},
		"over": func() *told {
			t := testing17()
			t.after(0, ended("debian-12-v1-34-4-kind-0a1b", "conformance", 120),
				result.Event{Kind: result.SuiteEnded, Cell: "debian-12-v1-34-4-kind-0a1b", Suite: "conformance", Text: "the test binary was killed"},
				started("debian-12-v1-34-4-kind-0a1b", "down"), ended("debian-12-v1-34-4-kind-0a1b", "down", 3661),
				result.Event{Kind: result.LeaseClosed, Cell: "debian-12-v1-34-4-kind-0a1b"})
			t.after(3661)
			return t
		},
	}
}

func TestView(t *testing.T) {
	for name, scene := range scenes() {
		for _, width := range []int{100, 40} {
			t.Run(fmt.Sprintf("%s/%d", name, width), func(t *testing.T) {
				s := scene()
				got := frame{now: s.now, width: width, height: 24}.view(&s.progress)
				file := filepath.Join("testdata", "view", fmt.Sprintf("%s-%d.txt", name, width))
				if *update {
					if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil || got != string(want) {
					t.Errorf("it shows\n%s\nwant\n%s (%v)", got, want, err)
				}
			})
		}
	}
}

// Whatever the terminal's size: it fits, and the header stays where there is
// room for more than a line.
func TestViewFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"nothing", "building", "testing", "broken", "cells", "together", "crowd", "over"}).Draw(t, "scene")
		s := scenes()[name]()
		f := frame{
			now: s.now, width: rapid.IntRange(1, 200).Draw(t, "width"), height: rapid.IntRange(1, 50).Draw(t, "height"),
			colour: rapid.Bool().Draw(t, "colour"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "remarks") {
			s.take(s.now, remark(rapid.String().Draw(t, "remark")))
		}
		s.take(s.now, caseOf("debian-12-v1-34-4-kind-0a1b", "smoke", rapid.String().Draw(t, "case"), result.Fail, rapid.String().Draw(t, "message")))
		text := f.view(&s.progress)
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(lines) > max(f.height-1, 1) {
			t.Fatalf("%d lines for a height of %d", len(lines), f.height)
		}
		for _, line := range lines {
			if w := ansi.StringWidth(line); w > max(f.width-margin, 1) {
				t.Fatalf("a line of %d columns for a width of %d: %q", w, f.width, line)
			}
		}
		if f.height > 4 && f.width > 10 && !strings.Contains(lines[0], "qualify") {
			t.Fatalf("the header is %q", lines[0])
		}
		// No control characters but those of the colours, and none without.
		plain := ansi.Strip(text)
		if !f.colour {
			plain = text
		}
		if at := strings.IndexFunc(plain, func(r rune) bool { return r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e') }); at >= 0 {
			t.Fatalf("a control character in %q", plain[at:])
		}
	})
}

func TestViewIsPure(t *testing.T) {
	s := testing17()
	f := frame{now: s.now, width: 80, height: 24, colour: true}
	first := f.view(&s.progress)
	if second := f.view(&s.progress); first != second {
		t.Errorf("twice the same differs:\n%s\n%s", first, second)
	}
	if !strings.Contains(first, "\x1b[32m") || !strings.Contains(first, "\x1b[31m1 failed") {
		t.Errorf("there are no colours: %q", first)
	}
}

// A case that passes after a failure is one case.
func TestProgressCountsCasesOnce(t *testing.T) {
	p := newTold()
	p.after(0, begunWith("a"), started("a", "smoke"),
		caseOf("a", "smoke", "dns", result.Fail, "no"), caseOf("a", "smoke", "dns", result.Pass, ""), caseOf("a", "smoke", "exec", result.Error, ""))
	if ran, failed := p.cells[0].suite("smoke").counts(); ran != 2 || failed != 1 {
		t.Errorf("%d ran, %d failed", ran, failed)
	}
	if doing, _ := p.doing(p.started); doing != "a: smoke: spec 2 of 3" {
		t.Errorf("doing %q", doing)
	}
	// A suite that nobody planned, and events of cells that nobody knows, do
	// not matter here: the judge sees them.
	p.after(0, caseOf("a", "surprise", "x", result.Pass, ""), caseOf("z", "smoke", "x", result.Pass, ""), ended("a", "other", 1))
	if ran, _ := p.cells[0].counts(); ran != 3 || len(p.cells) != 1 {
		t.Errorf("%d ran, %d cells", ran, len(p.cells))
	}
}

func TestProgressOfSeveralReleases(t *testing.T) {
	p := newTold()
	p.build(3, 3)
	p.build(3, 1)
	if len(p.builds) != 2 || p.builds[0].ended.IsZero() || p.builds[0].cached != 1 || !p.builds[1].ended.IsZero() {
		t.Errorf("builds %+v", p.builds)
	}
	if doing, _ := p.doing(p.started); doing != "release: 2 of 3, component-2" {
		t.Errorf("doing %q", doing)
	}
}

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 59400 * time.Millisecond: "59s", 59600 * time.Millisecond: "1m00s",
		90 * time.Second: "1m30s", time.Hour: "1h00m00s", 27*time.Hour + 61*time.Second: "27h01m01s",
	} {
		if got := clock(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}

func TestHeadline(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "\n \n": "", "one\ntwo": "one", "\n\t one \n": "one", "a\tb": "a b",
		"\x1b[31mred": "^[[31mred", "::error:x": ": :error:x", "123456789012": "123456789…", "äöüßäöüßäö": "äöüßäöüßäö",
	} {
		if got := headline(text, 10); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// A cell that is tried again is at work again, and a line says all that goes on.
func TestProgressOfSeveralCells(t *testing.T) {
	p := newTold()
	p.after(0, begunWith("a", "b"), started("a", "create"))
	p.after(0, ended("a", "create", 1), result.Event{Kind: result.LeaseClosed, Cell: "a"})
	if p.together || p.atWork() != 0 {
		t.Errorf("%d at work, together %v", p.atWork(), p.together)
	}
	p.after(1, result.Event{Kind: result.LeaseOpened, Cell: "a"}, started("a", "create"))
	p.after(10, started("b", "smoke"))
	if !p.together || p.atWork() != 2 {
		t.Errorf("%d at work, together %v", p.atWork(), p.together)
	}
	if doing, since := p.doing(p.now); doing != "a: create; b: smoke: spec 0 of 3" || p.now.Sub(since) != 10*time.Second {
		t.Errorf("doing %q since %s", doing, since)
	}
}

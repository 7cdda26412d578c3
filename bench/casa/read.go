package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/qualify-dev/qualify/matrix/cover"
)

// problem is one model of the directory.
type problem struct {
	name     string
	strength int
	model    cover.Model
	first    []int // by axis: the number of its first value
}

var strengthSuffix = regexp.MustCompile(`_\dway$`)

// load reads NAME.model and, if it is there, NAME.constraints; models that
// differ in strength only, NAME_2way and NAME_3way, have one such file.
func load(file string) (problem, error) {
	f, err := os.Open(file)
	if err != nil {
		return problem{}, err
	}
	defer f.Close()
	base := strings.TrimSuffix(file, ".model")
	p := problem{name: filepath.Base(base)}
	if err := p.readAxes(f); err != nil {
		return problem{}, fmt.Errorf("reading %s: %w", file, err)
	}
	for _, beside := range []string{base, strengthSuffix.ReplaceAllString(base, "")} {
		rules, err := os.Open(beside + ".constraints")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return problem{}, err
		}
		defer rules.Close()
		if err := p.readClauses(rules); err != nil {
			return problem{}, fmt.Errorf("reading %s.constraints: %w", beside, err)
		}
		break
	}
	return p, p.model.Validate()
}

// words reads what is between spaces, and remembers what went wrong.
type words struct {
	scan *bufio.Scanner
	err  error
}

func newWords(r io.Reader) *words {
	s := bufio.NewScanner(r)
	s.Split(bufio.ScanWords)
	return &words{scan: s}
}

func (w *words) next() string {
	if w.err == nil && !w.scan.Scan() {
		w.err = errors.Join(w.scan.Err(), io.ErrUnexpectedEOF)
	}
	if w.err != nil {
		return ""
	}
	return w.scan.Text()
}

func (w *words) number(from, to int) int {
	text := w.next()
	if w.err != nil {
		return from
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < from || n > to {
		w.err = fmt.Errorf("%q is no number from %d to %d", text, from, to)
		return from
	}
	return n
}

func (w *words) end() error {
	if w.err == nil && w.scan.Scan() {
		w.err = fmt.Errorf("%q comes after the end", w.scan.Text())
	}
	return w.err
}

const most = 100_000 // of anything in a file

// readAxes: the strength, the number of axes, and how many values each has.
func (p *problem) readAxes(r io.Reader) error {
	w := newWords(r)
	p.strength = w.number(1, cover.MaxStrength)
	values := 0
	for a := range w.number(1, most) {
		if w.err != nil || values > most {
			break
		}
		axis := cover.Axis{Name: fmt.Sprintf("p%d", a)}
		p.first = append(p.first, values)
		for v := range w.number(1, most) {
			axis.Values = append(axis.Values, strconv.Itoa(values+v))
		}
		values += len(axis.Values)
		p.model.Axes = append(p.model.Axes, axis)
	}
	if w.err == nil && values > most {
		return fmt.Errorf("there are more than %d values", most)
	}
	return w.end()
}

// readClauses: their number, and for each the number of its literals and
// these: a sign and the number of a value. A row fulfils "+ 7" if it has value
// 7, "- 7" if not, and has to fulfil one literal of each clause. So what a
// clause forbids is that all its literals are wrong.
func (p *problem) readClauses(r io.Reader) error {
	w := newWords(r)
	for c := range w.number(0, most) {
		rule := cover.Constraint{Name: fmt.Sprintf("clause %d", c+1)}
		for range w.number(1, most) {
			sign := w.next()
			value := w.number(0, most)
			if w.err != nil {
				return w.err
			}
			term, err := p.wrong(sign, value)
			if err != nil {
				return err
			}
			rule.Forbid = append(rule.Forbid, term)
		}
		if w.err != nil {
			return w.err
		}
		p.model.Constraints = append(p.model.Constraints, rule)
	}
	return w.end()
}

// wrong is the term that holds where a literal does not.
func (p *problem) wrong(sign string, value int) (cover.Term, error) {
	for a, axis := range p.model.Axes {
		at := value - p.first[a]
		if at < 0 || at >= len(axis.Values) {
			continue
		}
		term := cover.Term{Axis: axis.Name}
		switch sign {
		case "-":
			term.Values = []string{axis.Values[at]}
		case "+":
			for v, name := range axis.Values {
				if v != at {
					term.Values = append(term.Values, name)
				}
			}
		default:
			return term, fmt.Errorf("%q is neither + nor -", sign)
		}
		return term, nil
	}
	return cover.Term{}, fmt.Errorf("no axis has a value %d", value)
}

// write prints the rows with the numbers that the format has for values.
func (p *problem) write(out io.Writer, rows []cover.Row) {
	for _, row := range rows {
		fmt.Fprint(out, p.name)
		for a, v := range row {
			fmt.Fprintf(out, " %d", p.first[a]+v)
		}
		fmt.Fprintln(out)
	}
}

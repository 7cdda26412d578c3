package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// vt is as much of a terminal as the live view asks for. What it does not
// know, or what would have to be undone, it remembers.
type vt struct {
	mu            sync.Mutex
	width, height int
	cells         [][]string
	x, y          int
	hidden        bool // the cursor is
	styled        bool // at the moment
	colours       int  // sequences that set a style
	strange       []string
	pending       []byte
}

func newVT(width, height int) *vt {
	v := &vt{width: width, height: height}
	for range height {
		v.cells = append(v.cells, v.row())
	}
	return v
}

func (v *vt) row() []string {
	row := make([]string, v.width)
	for i := range row {
		row[i] = " "
	}
	return row
}

// resize does what terminals without reflow do.
func (v *vt) resize(width, height int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	old := v.cells
	v.width, v.height, v.cells = width, height, nil
	for y := range height {
		row := v.row()
		if from := y + max(0, len(old)-height); from < len(old) {
			copy(row, old[from])
		}
		v.cells = append(v.cells, row)
	}
	v.x, v.y = min(v.x, width-1), min(v.y, height-1)
}

// String is what there is to read.
func (v *vt) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var lines []string
	for _, row := range v.cells {
		lines = append(lines, strings.TrimRight(strings.Join(row, ""), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// state tells what is not as it is in a terminal that nobody has touched.
func (v *vt) state() (problems []string, colours int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	problems = append(problems, v.strange...)
	if v.hidden {
		problems = append(problems, "the cursor is hidden")
	}
	if v.styled {
		problems = append(problems, "a style is left on")
	}
	return problems, v.colours
}

// Write takes what a program prints, cut anywhere.
func (v *vt) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pending = append(v.pending, p...)
	for len(v.pending) > 0 {
		n := v.one(v.pending)
		if n == 0 {
			break
		}
		v.pending = v.pending[n:]
	}
	return len(p), nil
}

// one handles the first character or sequence, and returns its length; 0 asks
// for more.
func (v *vt) one(b []byte) int {
	switch b[0] {
	case '\r':
		v.x = 0
		return 1
	case '\n':
		v.down()
		return 1
	case '\t':
		v.x = min(v.width-1, v.x/8*8+8)
		return 1
	case '\b':
		v.x = max(0, v.x-1)
		return 1
	case 0x1b:
		return v.escape(b)
	}
	if b[0] < ' ' || b[0] == 0x7f {
		v.strange = append(v.strange, fmt.Sprintf("control character %q", b[0]))
		return 1
	}
	if !utf8.FullRune(b) {
		return 0
	}
	r, n := utf8.DecodeRune(b)
	if v.x >= v.width {
		v.x = 0
		v.down()
	}
	v.cells[v.y][v.x] = string(r)
	v.x += max(1, ansi.StringWidth(string(r)))
	return n
}

func (v *vt) down() {
	if v.y < v.height-1 {
		v.y++
		return
	}
	v.cells = append(v.cells[1:], v.row())
}

func (v *vt) escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	if b[1] == 'M' {
		v.y = max(0, v.y-1)
		return 2
	}
	if b[1] != '[' {
		v.strange = append(v.strange, fmt.Sprintf("sequence %q", b[:2]))
		return 2
	}
	for i := 2; i < len(b); i++ {
		if b[i] >= 0x40 && b[i] <= 0x7e {
			v.control(string(b[2:i]), b[i])
			return i + 1
		}
	}
	return 0
}

func (v *vt) control(parameters string, final byte) {
	n, err := strconv.Atoi(parameters)
	if err != nil || n == 0 {
		n = 1
	}
	switch final {
	case 'A':
		v.y = max(0, v.y-n)
	case 'B':
		v.y = min(v.height-1, v.y+n)
	case 'C':
		v.x = min(v.width-1, v.x+n)
	case 'D':
		v.x = max(0, v.x-n)
	case 'G':
		v.x = min(v.width, n) - 1
	case 'X':
		v.blank(v.y, v.x, v.x+n)
	case 'K':
		v.erase(parameters, v.y)
	case 'J':
		if parameters != "" && parameters != "0" {
			v.strange = append(v.strange, "the whole screen is erased")
		}
		v.blank(v.y, v.x, v.width)
		for y := v.y + 1; y < v.height; y++ {
			v.blank(y, 0, v.width)
		}
	case 'm':
		v.styled = parameters != "" && parameters != "0"
		v.colours++
	case 'h', 'l':
		if parameters != "?25" {
			v.strange = append(v.strange, "mode "+parameters+string(final))
			return
		}
		v.hidden = final == 'l'
	default:
		v.strange = append(v.strange, fmt.Sprintf("sequence CSI %s%c", parameters, final))
	}
}

func (v *vt) erase(parameters string, y int) {
	switch parameters {
	case "", "0":
		v.blank(y, v.x, v.width)
	case "1":
		v.blank(y, 0, v.x+1)
	default:
		v.blank(y, 0, v.width)
	}
}

func (v *vt) blank(y, from, to int) {
	for x := from; x < min(to, v.width); x++ {
		v.cells[y][x] = " "
	}
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// directory makes one of the given files.
func directory(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const threeAxes = "2\n3\n2 3 2\n"

func TestRun(t *testing.T) {
	dir := directory(t, map[string]string{
		"free.model": threeAxes,
		// Value 0 or 2; not 1 and 6 at once: with 6 there is 0, and so not 2.
		"bound_2way.model":  threeAxes,
		"bound.constraints": "2\n2\n+ 0 + 2\n2\n- 1 - 6\n",
	})
	out := filepath.Join(dir, "rows")
	var text bytes.Buffer
	if err := run([]string{"-rows", out, dir}, &text); err != nil {
		t.Fatal(err)
	}
	want := `^bound_2way [0-9]+ [0-9.]+\nfree 6 [0-9.]+\ntotal [0-9]+ [0-9.]+\n$`
	if !regexp.MustCompile(want).MatchString(text.String()) {
		t.Errorf("printed\n%s", &text)
	}
	rows, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(rows), "free "); n != 6 {
		t.Errorf("%d rows are written for free", n)
	}
	for line := range strings.Lines(string(rows)) {
		row := strings.Fields(line)
		if len(row) != 4 {
			t.Errorf("%q is no row of three values", line)
			continue
		}
		if row[0] == "bound_2way" && (row[1] == "1" && row[2] != "2" || row[1] == "1" && row[3] == "6") {
			t.Errorf("row %q is forbidden", line)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":          {nil, "no .model files"},
		"cut":              {map[string]string{"a.model": "2\n3\n2 2\n"}, "unexpected EOF"},
		"too long":         {map[string]string{"a.model": "2\n1\n2 2\n"}, `"2" comes after the end`},
		"strength":         {map[string]string{"a.model": "9\n1\n2\n"}, `"9" is no number from 1 to 3`},
		"huge":             {map[string]string{"a.model": "2\n99999999999999999999\n2\n"}, "is no number from 1"},
		"many values":      {map[string]string{"a.model": "2\n3\n100000 100000 2\n"}, "more than 100000 values"},
		"no values":        {map[string]string{"a.model": "2\n1\n0\n"}, `"0" is no number`},
		"unknown value":    {map[string]string{"a.model": threeAxes, "a.constraints": "1\n1\n- 7\n"}, "no axis has a value 7"},
		"sign":             {map[string]string{"a.model": threeAxes, "a.constraints": "1\n1\n* 6\n"}, `"*" is neither`},
		"clauses cut":      {map[string]string{"a.model": threeAxes, "a.constraints": "2\n1\n- 6\n"}, "unexpected EOF"},
		"nothing is valid": {map[string]string{"a.model": threeAxes, "a.constraints": "2\n1\n- 0\n1\n- 1\n"}, "no valid row"},
	} {
		err := run([]string{directory(t, test.files)}, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %q", name, err, test.want)
		}
	}
}

// FuzzRead: what is read is a model, or an error says why not.
func FuzzRead(f *testing.F) {
	f.Add(threeAxes, "2\n2\n+ 0 + 2\n2\n- 1 - 6\n")
	f.Add("2\n1\n2\n", "0")
	f.Fuzz(func(t *testing.T, axes, clauses string) {
		var p problem
		if p.readAxes(strings.NewReader(axes)) != nil || p.readClauses(strings.NewReader(clauses)) != nil {
			return
		}
		if err := p.model.Validate(); err != nil {
			t.Error(err)
		}
	})
}

// TestVerifyRefuses shows that rows which do not cover are not let through.
func TestVerifyRefuses(t *testing.T) {
	p, err := load(filepath.Join(directory(t, map[string]string{"a.model": threeAxes}), "a.model"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := settings{seed: 1}.reduce(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(p, r.Rows); err != nil {
		t.Error(err)
	}
	if err := verify(p, r.Rows[1:]); err == nil {
		t.Error("a row too few is accepted")
	}
}

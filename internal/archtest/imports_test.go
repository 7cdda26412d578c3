package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// checkImports holds the files against the table and the list of exclusive
// imports, and returns what is wrong, one line each.
func checkImports(rows []row, files []file) []string {
	var wrong []string
	used := map[string]bool{}
	for _, f := range files {
		for _, p := range f.imports() {
			wrong = append(wrong, checkOnly(f, p)...)
		}
		if f.test() {
			continue
		}
		r, ok := rowOf(rows, f.dir())
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s: package %s has no row in the import table (internal/archtest/table_test.go): say what it may import", f.name, f.dir()))
			continue
		}
		used[r.dir] = true
		for _, p := range f.imports() {
			wrong = append(wrong, checkImport(r, f, p)...)
		}
	}
	for _, r := range rows {
		// A pattern may wait for its first folder.
		if !used[r.dir] && !r.soon && !strings.HasSuffix(r.dir, "/*") {
			wrong = append(wrong, fmt.Sprintf("the import table has a row for %s, and there is no such package", r.dir))
		}
	}
	return wrong
}

// rowOf finds a folder's own row, or the one of its parent for all of them.
func rowOf(rows []row, dir string) (row, bool) {
	for _, r := range rows {
		if r.dir == dir {
			return r, true
		}
	}
	i := slices.IndexFunc(rows, func(r row) bool { return listed([]string{r.dir}, dir) })
	if i < 0 {
		return row{}, false
	}
	return rows[i], true
}

func checkImport(r row, f file, p string) []string {
	if own, ours := strings.CutPrefix(p, module+"/"); ours {
		if !listed(r.ours, own) {
			return []string{fmt.Sprintf("%s: %s may not import %s: the table allows it %s", f.name, f.dir(), own, orNone(r.ours))}
		}
		return nil
	}
	if covers(r.never, p) {
		return []string{fmt.Sprintf("%s: %s must not know %s", f.name, f.dir(), p)}
	}
	return nil
}

func checkOnly(f file, p string) []string {
	var wrong []string
	for _, o := range only {
		if covers(o.imports, p) && !listed(o.by, f.dir()) && (o.noTests || !f.test()) {
			wrong = append(wrong, fmt.Sprintf("%s: %s may be imported by %s alone: %s", f.name, p, orNone(o.by), o.why))
		}
	}
	return wrong
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

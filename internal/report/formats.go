package report

import "io"

// Format is one way to write a report.
type Format struct {
	Name  string
	Doc   string
	Files func(Report) []File
}

// File is one file of a format.
type File struct {
	Path  string // relative to the run's directory, with slashes
	Write func(io.Writer) error
}

// Formats lists every format. A new one is one file with its writer and one
// line here. It is a function, so that nobody can change the list.
func Formats() []Format {
	return []Format{
		{"json", "the verdict as a contract for release gates", single("verdict.json", func(w io.Writer, r Report) error { return WriteVerdict(w, r.Document) })},
		{"junit", "one JUnit file for each cell", junitFiles},
		{"html", "one page for people, in one file", single("report.html", WriteHTML)},
		{"markdown", "a short summary for CI", single("summary.md", WriteMarkdown)},
	}
}

func single(path string, write func(io.Writer, Report) error) func(Report) []File {
	return func(r Report) []File {
		return []File{{Path: path, Write: func(w io.Writer) error { return write(w, r) }}}
	}
}

func junitFiles(r Report) []File {
	files := make([]File, 0, len(r.Cells))
	for _, c := range r.Cells {
		files = append(files, File{Path: JUnitFile(c.ID), Write: func(w io.Writer) error { return WriteJUnit(w, r, c.ID) }})
	}
	return files
}

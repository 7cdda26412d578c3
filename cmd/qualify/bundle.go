package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/cncf"
	"github.com/qualify-dev/qualify/internal/result"
)

// conformanceSuite is the suite whose results are submitted.
const conformanceSuite = "conformance"

// bundleOptions are the flags of cncf bundle.
type bundleOptions struct {
	lintOptions
	w                          wiring
	product, out, folder, cell string
	force                      bool
}

func newCNCFBundleCommand(w wiring) *cobra.Command {
	o := bundleOptions{w: w}
	cmd := readingCommand(w, &cobra.Command{
		Use:   "bundle RUN --product product.yaml",
		Short: "Make a submission from a run in certified mode",
		Long: `Writes vX.Y/<product>/ with PRODUCT.yaml, README.md, e2e.log and junit_01.xml
from a run whose conformance suite ran in certified mode. The run has to be
qualified, its files have to agree with its journal, and the result has to be
accepted by "qualify cncf lint --strict". Otherwise nothing is written; --force
writes what was refused, to be looked at.

Exit codes: 0 written and accepted, 1 refused, 2 usage, 3 nothing could be made.`,
		Example: `  qualify cncf bundle latest --product product.yaml
  qualify cncf bundle latest --product product.yaml --out ../k8s-conformance --folder turbo`,
	}, o.bundle)
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.product, "product", "", "file with the fields of PRODUCT.yaml")
	f.StringVar(&o.out, "out", ".", "directory in which vX.Y/<product> is made")
	f.StringVar(&o.folder, "folder", "", "name of the product's folder (default: the product's name)")
	f.StringVar(&o.cell, "cell", "", "the run's cell, where several ran the conformance suite")
	f.BoolVar(&o.force, "force", false, "write a bundle that is refused too; exits with 1")
	return cmd
}

func (o *bundleOptions) bundle(cmd *cobra.Command, r record) error {
	options, err := o.options()
	if err != nil {
		return err
	}
	options.Strict = true
	cell, err := o.conformanceCell(r)
	if err != nil {
		return err
	}
	product, err := o.readProduct()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(r.dir.path)
	if err != nil {
		return fmt.Errorf("opening run: %w", err)
	}
	defer root.Close()
	suite, err := fs.Sub(root.FS(), path.Join("cells", cell.ID, "suites", conformanceSuite))
	if err != nil {
		return fmt.Errorf("opening run: %w", err)
	}
	made, err := cncf.NewBundle(submitted(r, cell, suite), product, o.folder)
	if err != nil {
		return usagef("%w", err)
	}
	found, written, err := o.write(made, options)
	if err != nil {
		return err
	}
	return o.answer(cmd, found, written)
}

// conformanceCell is the cell that is asked for, or the only one that has the
// suite in its plan.
func (o *bundleOptions) conformanceCell(r record) (result.PlanCell, error) {
	var names []string
	var chosen []result.PlanCell
	for _, c := range r.plan.Judged().Cells {
		if !slices.ContainsFunc(c.Suites, func(s result.PlanSuite) bool { return s.Name == conformanceSuite }) {
			continue
		}
		names = append(names, c.ID)
		if o.cell == "" || o.cell == c.ID {
			chosen = append(chosen, c)
		}
	}
	switch {
	case len(chosen) == 1:
		return chosen[0], nil
	case len(names) == 0:
		return result.PlanCell{}, usagef("run %s did not plan the suite %s", r.dir.id, conformanceSuite)
	}
	return result.PlanCell{}, usagef("which --cell? run %s has %s", r.dir.id, strings.Join(names, ", "))
}

func (o *bundleOptions) readProduct() ([]byte, error) {
	if o.product == "" {
		return nil, usagef("which product? give the fields of PRODUCT.yaml in a file, with --product FILE")
	}
	f, err := os.Open(o.product)
	if err != nil {
		return nil, usagef("--product: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil, usagef("--product: %w", err)
	}
	return data, nil
}

// submitted is what the run has of the cell's conformance suite.
func submitted(r record, cell result.PlanCell, suite fs.FS) cncf.Run {
	doc := r.judge()
	made := cncf.Run{
		ID: r.dir.id, Tool: r.info.Tool, Command: r.info.Command, Host: r.info.Host, Cell: cell, Workers: r.plan.Workers,
		Verdict: doc.Verdict, Reasons: doc.Reasons, Outcomes: map[string]result.Outcome{},
		Suite: suite,
	}
	evidence, _ := result.Fold(r.events).Cell(cell.ID)
	recorded, _ := evidence.Suite(conformanceSuite)
	for _, c := range recorded.Cases {
		made.Outcomes[c.Name] = c.Attempts[len(c.Attempts)-1].Case.Outcome
	}
	return made
}

// write puts the bundle together where it is in nobody's way, checks it, and
// moves it to its place if it may stay.
func (o *bundleOptions) write(b cncf.Bundle, options cncf.Options) (found cncf.Report, written string, err error) {
	place := filepath.Join(o.out, filepath.FromSlash(b.Place))
	if _, err := os.Lstat(place); !errors.Is(err, os.ErrNotExist) {
		return found, "", usagef("%s is there already: remove it, or choose another place with --out or --folder", place)
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return found, "", usagef("--out: %w", err)
	}
	scratch, err := os.MkdirTemp(o.out, ".bundle-")
	if err != nil {
		return found, "", usagef("--out: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	for _, part := range b.Parts {
		if err := writePart(filepath.Join(scratch, part.Name), part); err != nil {
			return found, "", fmt.Errorf("writing %s: %w", part.Name, err)
		}
	}
	if found, err = lintDirectory(scratch, b.Place, options); err != nil {
		return found, "", err
	}
	found.Findings = append(b.Findings, found.Findings...)
	found.Accepted = len(found.Findings) == 0
	if !found.Accepted && !o.force {
		return found, "", nil
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(place), 0o755), os.Chmod(scratch, 0o755), os.Rename(scratch, place)); err != nil {
		return found, "", fmt.Errorf("moving the bundle to its place: %w", err)
	}
	return found, place, nil
}

// writePart copies one file. Submissions are public: others may read it.
func writePart(path string, part cncf.Part) error {
	in, err := part.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/qualify-dev/qualify/internal/run"
)

// owner names this process, for people and for gc.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown-host"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// runDirectory is where everything of one run is.
type runDirectory struct{ id, path string }

func (d runDirectory) file(name string) string { return filepath.Join(d.path, name) }

// runInfo is what a run knows of itself beyond plan and journal.
type runInfo struct {
	ID      string   `json:"id"`
	Tool    string   `json:"tool"`
	Command string   `json:"command"`
	Host    []string `json:"host"` // "name: value"
}

// info is how the run was asked for, so that it can be asked for again, and on
// what machine.
func (o *runOptions) info(ctx context.Context, variables []string) runInfo {
	words := append(quoted(variables), "qualify")
	return runInfo{
		Tool: "qualify " + version, Command: strings.Join(append(words, quoted(o.w.args)...), " "), Host: hostFacts(ctx),
	}
}

// newRunDirectory makes results/<run-id>, saves the plan there and points
// results/latest to it.
func newRunDirectory(results string, plan run.Plan, info runInfo) (runDirectory, error) {
	random := make([]byte, 4)
	if _, err := rand.Read(random); err != nil {
		return runDirectory{}, err
	}
	id := run.NewID(now(), hex.EncodeToString(random))
	path, err := filepath.Abs(filepath.Join(results, id))
	if err != nil {
		return runDirectory{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return runDirectory{}, usagef("making the results directory: %w", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return runDirectory{}, usagef("making the run's directory: %w", err)
	}
	d := runDirectory{id: id, path: path}
	info.ID = id
	if err := errors.Join(writeJSON(d.file("plan.json"), plan), writeJSON(d.file("run.json"), info)); err != nil {
		return runDirectory{}, err
	}
	return d, pointLatest(filepath.Dir(path), id)
}

// pointLatest replaces the link in one step, so that it always leads somewhere.
func pointLatest(results, id string) error {
	scratch := filepath.Join(results, ".latest-"+id)
	if err := os.Symlink(id, scratch); err != nil {
		return fmt.Errorf("pointing results/latest to the run: %w", err)
	}
	if err := os.Rename(scratch, filepath.Join(results, "latest")); err != nil {
		return fmt.Errorf("pointing results/latest to the run: %w", err)
	}
	return nil
}

func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(data, '\n'))
}

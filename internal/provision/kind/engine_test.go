package kind

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/sink"
)

var update = flag.Bool("update", false, "write the goldens anew")

// golden compares text with testdata/name.
func golden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s differs from its golden; look at the change and run with -update\ngot:\n%s", name, text)
	}
}

// engine is what testdata/bin/docker answers from.
type engine struct {
	t   *testing.T
	dir string
}

func newEngine(t *testing.T) engine {
	t.Helper()
	bin, err := filepath.Abs(filepath.Join("testdata", "bin"))
	if err != nil {
		t.Fatal(err)
	}
	e := engine{t: t, dir: t.TempDir()}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("FAKE_DOCKER", e.dir)
	for _, kind := range resourceKinds {
		if err := os.Mkdir(filepath.Join(e.dir, kind), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	e.write("nodes", "")
	return e
}

func (e engine) write(name, text string) {
	e.t.Helper()
	if err := os.WriteFile(filepath.Join(e.dir, name), []byte(text), 0o644); err != nil {
		e.t.Fatal(err)
	}
}

// on runs shell code when the client's arguments match a pattern.
func (e engine) on(pattern, script string) {
	e.t.Helper()
	old, err := os.ReadFile(filepath.Join(e.dir, "answers"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		e.t.Fatal(err)
	}
	pattern = strings.ReplaceAll(pattern, " ", `\ `)
	e.write("answers", string(old)+"case \"$*\" in\n"+pattern+")\n"+script+"\n;;\nesac\n")
}

// says makes the client print text and exit.
func (e engine) says(pattern, text string, code int) {
	e.t.Helper()
	to := ""
	if code != 0 {
		to = " >&2"
	}
	e.on(pattern, fmt.Sprintf("cat%s <<'END'\n%s\nEND\nexit %d", to, text, code))
}

// add makes a resource with labels.
func (e engine) add(kind, id, name string, labels map[string]string) {
	e.t.Helper()
	answer := map[string]any{"Id": id, "Name": "/" + name, "Created": "2026-01-02T03:04:05.6Z", "Config": map[string]any{"Labels": labels}}
	switch kind {
	case "network":
		answer["Name"], answer["Labels"] = name, labels
		delete(answer, "Config")
	case "image":
		delete(answer, "Name")
		if name != "" {
			answer["RepoTags"] = []string{name}
		}
	}
	data, err := json.Marshal([]any{answer})
	if err != nil {
		e.t.Fatal(err)
	}
	e.write(kind+"/"+id, string(data))
}

// calls are what the client was asked, without those for reading.
func (e engine) calls() []string {
	e.t.Helper()
	data, err := os.ReadFile(filepath.Join(e.dir, "calls"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		e.t.Fatal(err)
	}
	var calls []string
	for _, call := range lines(string(data)) {
		if !strings.Contains(call, " ls ") && !strings.Contains(call, " inspect ") && !strings.HasPrefix(call, "version ") {
			calls = append(calls, call)
		}
	}
	return calls
}

func (e engine) there(kind, id string) bool {
	_, err := os.Stat(filepath.Join(e.dir, kind, id))
	return err == nil
}

func testLease(name string) provision.Lease {
	return provision.Lease{Name: name, Run: "run", Cell: "cell", Owner: `host/1 "$HOME" \`, Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func testProvisioner(t *testing.T) provision.Provisioner {
	t.Helper()
	p, err := newProvisioner(provision.Config{CacheDir: t.TempDir(), Log: t.Logf, Sink: sink.New(redact.New())})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEngineFaultsAreTold(t *testing.T) {
	tests := []struct {
		name, stderr string
		engine       bool
		absent       bool
	}{
		{"daemon gone", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", true, false},
		{"cut off", "error during connect: Get http://%2Fvar%2Frun%2Fdocker.sock/v1.41/info: EOF", true, false},
		{"reset", "read unix @->/run/docker.sock: read: connection reset by peer", true, false},
		{"no container", "Error: No such container: q-1", false, true},
		{"no network", "Error response from daemon: network q-1 not found", false, true},
		{"in use", "Error response from daemon: error while removing network: network q-1 has active endpoints", false, false},
		{"silent", "", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngine(t)
			e.says("thing", tt.stderr, 1)
			_, err := docker(context.Background(), "thing")
			if err == nil || errors.Is(err, errEngine) != tt.engine || isAbsent(err) != tt.absent {
				t.Errorf("error %v: engine %t, absent %t", err, errors.Is(err, errEngine), isAbsent(err))
			}
			if !strings.Contains(err.Error(), "docker thing") || !strings.Contains(err.Error(), tt.stderr) {
				t.Errorf("error %v does not say what was asked and answered", err)
			}
		})
	}
}

func TestEngineNotInstalled(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := engineAnswers(context.Background()); !errors.Is(err, errEngine) || !strings.Contains(err.Error(), "hack/setup") {
		t.Errorf("error %v", err)
	}
}

// A source that blocks must not keep a cancelled command, and one that breaks
// must not pass for the end of the input.
func TestSourcesOfInput(t *testing.T) {
	e := newEngine(t)
	e.on("feed", "cat >fed; exit 0")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	blocked, end := io.Pipe()
	defer end.Close()
	returned := make(chan error, 1)
	go func() { _, err := dockerIn(ctx, blocked, "feed"); returned <- err }()
	select {
	case err := <-returned:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("blocked: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a blocked source keeps a command that was cancelled")
	}
	broken := errors.New("the source broke")
	source, fail := io.Pipe()
	fail.CloseWithError(broken)
	if _, err := dockerIn(context.Background(), source, "feed"); !errors.Is(err, broken) {
		t.Errorf("broken: %v", err)
	}
	e.on("ignore", "exit 0")
	if _, err := dockerIn(context.Background(), strings.NewReader(strings.Repeat("x", 1<<20)), "ignore"); err != nil {
		t.Errorf("ignored: %v", err)
	}
}

// What makes something runs to its end, so that Down finds what it made.
func TestMakingIsNotCutShort(t *testing.T) {
	e := newEngine(t)
	e.on("make", "touch started; sleep 0.3; touch made; exit 0")
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := dockerMake(ctx, "make"); err != nil || !e.there("", "made") {
		t.Errorf("error %v, made %t", err, e.there("", "made"))
	}
	if _, err := dockerMake(ctx, "other"); !errors.Is(err, context.Canceled) || len(e.calls()) != 1 {
		t.Errorf("after the end: %v, calls %q", err, e.calls())
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/suites"
)

// The test binary is also the program, and the program with a fake
// provisioner: both run in processes of their own where signals, terminals or
// exit codes matter.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"qualify":      main,
		"qualify-fake": fakeMain,
	})
}

// world is a machine on which clusters are files, with a release, a matrix of
// one cell and a suite of three cases.
type world struct {
	dir     string
	rel     *release.Release
	cloud   fake.Cloud
	options fake.Options
	suites  []suites.Suite
	env     map[string]string
	wrap    func(provision.Entry) provision.Entry // nil leaves the provisioner as it is
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

// candidate is a release whose manifest can be written and read.
func candidate() *release.Release {
	rel := fake.Release("v1.34.4")
	rel.Channel = "1-34"
	return rel
}

// settle fills a directory with a world. The returned function ends its API
// server.
func settle(dir string) (*world, func(), error) {
	w := &world{dir: dir, rel: candidate(), env: map[string]string{}}
	w.cloud = fake.Cloud{Dir: w.file("cloud")}
	server := httptest.NewServer(w.cloud.API(w.rel))
	w.options = fake.Options{Dir: w.cloud.Dir, Server: server.URL, Answers: []fake.Answer{fake.Identity(w.rel)}}
	w.suites = []suites.Suite{tiny(pass)}
	manifest, err := release.Marshal(w.rel)
	err = errors.Join(err,
		os.WriteFile(w.file("release.yaml"), manifest, 0o600),
		os.WriteFile(w.file("matrix.yaml"), []byte(matrixYAML), 0o600))
	return w, server.Close, err
}

const matrixYAML = `apiVersion: qualify/v1
kind: Matrix
suites: [tiny]
workers: 1
axes:
  - name: os
    values: [{name: debian-12, family: debian}]
  - name: k8s
    values: [{name: v1.34.4, release: "source:v1.34.4"}]
  - name: provisioner
    values: [{name: fake}]
`

// behaviour is what a suite does.
type behaviour = func(ctx context.Context, env suites.Env, emit func(result.Case)) error

func tiny(run behaviour) suites.Suite {
	return suites.Suite{
		Name: "tiny", Doc: "for tests", Run: run,
		Expect: func(*release.Release) ([]string, error) { return []string{"dns", "exec", "job"}, nil },
	}
}

func pass(_ context.Context, env suites.Env, emit func(result.Case)) error {
	for _, name := range env.Expected {
		emit(result.Case{Name: name, Outcome: result.Pass, Attempt: 1})
	}
	return nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	w, end, err := settle(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return w
}

// wiring puts the program together from the world.
func (w *world) wiring(args ...string) wiring {
	return wiring{
		args:    args,
		sink:    sink.New(redact.New()),
		lookup:  func(name string) (string, bool) { value, ok := w.env[name]; return value, ok },
		entries: func() []provision.Entry { return []provision.Entry{w.entry()} },
		entry: func(name string) (provision.Entry, error) {
			if name != fake.Name {
				return provision.Entry{}, fmt.Errorf("unknown provisioner %q: known are fake", name)
			}
			return w.entry(), nil
		},
		published: func(context.Context) bool { return false }, // nothing is asked for in a test
		suites:    func() []suites.Suite { return w.suites },
		suite: func(name string) (suites.Suite, error) {
			for _, s := range w.suites {
				if s.Name == name {
					return s, nil
				}
			}
			return suites.Suite{}, fmt.Errorf("unknown suite %q: known are tiny", name)
		},
	}
}

func (w *world) entry() provision.Entry {
	if w.wrap == nil {
		return fake.Entry(w.options)
	}
	return w.wrap(fake.Entry(w.options))
}

// said is what a call of the program came to.
type said struct {
	code           int
	stdout, stderr string
}

func (w *world) call(ctx context.Context, args ...string) said {
	var stdout, stderr bytes.Buffer
	code := w.wiring(args...).main(ctx, &stdout, &stderr)
	return said{code, stdout.String(), stderr.String()}
}

// flags point the program to the world.
func (w *world) flags() []string {
	return []string{"-f", w.file("matrix.yaml"), "--release", w.file("release.yaml"), "--results", w.file("results")}
}

// qualify runs the matrix of the world.
func (w *world) qualify(ctx context.Context, more ...string) said {
	return w.call(ctx, append(w.flags(), more...)...)
}

// verdict reads the verdict of the latest run, and sees that it keeps to the
// published schema.
func (w *world) verdict(t *testing.T) result.Document {
	t.Helper()
	data, err := os.ReadFile(w.file("results/latest/verdict.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := checkSchema(data); err != nil {
		t.Errorf("verdict.json: %v", err)
	}
	var doc result.Document
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// checkSchema holds a verdict against the schema that gates validate with.
func checkSchema(data []byte) error {
	text, err := os.ReadFile(filepath.Join(repository(), "schema", "verdict.schema.json"))
	if err != nil {
		return err
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(text, &schema); err != nil {
		return err
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		return err
	}
	var document any
	if err := json.Unmarshal(data, &document); err != nil {
		return err
	}
	return resolved.Validate(document)
}

// repository is the top of the tree: tests run in their package's folder.
func repository() string { return filepath.Join("..", "..") }

// empty sees that nothing is left in the cloud, and that nobody misused it.
func (w *world) empty(t *testing.T) {
	t.Helper()
	left, err := w.cloud.All()
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %+v, %v", left, err)
	}
	misuses, err := w.cloud.Misuses()
	if err != nil || len(misuses) > 0 {
		t.Errorf("misuses of the provisioner: %v, %v", misuses, err)
	}
}

// behaviours are what the suite of qualify-fake can do, by name.
func behaviours() map[string]behaviour {
	return map[string]behaviour{
		"pass": pass,
		"fail": func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
			emit(result.Case{Name: "dns", Outcome: result.Fail, Attempt: 1, Message: "no answer\nfrom 10.96.0.10"})
			env.Expected = env.Expected[1:]
			return pass(ctx, env, emit)
		},
		// Waits for the end with one case done, and says so in a file.
		"wait": func(ctx context.Context, _ suites.Env, emit func(result.Case)) error {
			emit(result.Case{Name: "dns", Outcome: result.Pass, Attempt: 1})
			if err := os.WriteFile(filepath.Join(os.Getenv("FAKE_DIR"), "waiting"), nil, 0o600); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		},
		// Never ends by itself.
		"hang": func(_ context.Context, _ suites.Env, _ func(result.Case)) error {
			if err := os.WriteFile(filepath.Join(os.Getenv("FAKE_DIR"), "waiting"), nil, 0o600); err != nil {
				return err
			}
			time.Sleep(time.Hour)
			return nil
		},
		"panic": func(context.Context, suites.Env, func(result.Case)) error { panic("a bug of ours") },
		"slow": func(_ context.Context, env suites.Env, emit func(result.Case)) error {
			for _, name := range env.Expected {
				time.Sleep(700 * time.Millisecond)
				emit(result.Case{Name: name, Outcome: result.Pass, Attempt: 1})
			}
			return nil
		},
	}
}

// fakeMain is the program in the world of FAKE_DIR, where the suite does what
// FAKE_SUITE says.
func fakeMain() {
	w, end, err := settle(os.Getenv("FAKE_DIR"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	w.suites = []suites.Suite{tiny(behaviours()[os.Getenv("FAKE_SUITE")])}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		w.env[name] = value
	}
	if os.Getenv("FAKE_STUCK") != "" {
		w.options.Stuck = func(r provision.Resource) bool { return r.Kind == "network" }
	}
	ctx, stop := withSignals(context.Background(), os.Exit)
	code := w.wiring(os.Args[1:]...).main(ctx, os.Stdout, os.Stderr)
	stop()
	end()
	os.Exit(code)
}

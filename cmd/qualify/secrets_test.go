package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/ginkgo"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/redact/redacttest"
	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/suites"
)

// spill is all that may not be seen: secrets of every kind as programs print
// them, which nobody registers, and secrets that are registered when they are
// born, in every form.
type spill struct {
	text string
	born []redacttest.Canary
	hunt redacttest.Hunt
}

var spilt = sync.OnceValue(func() *spill {
	s := &spill{born: redacttest.Canaries("born")}
	var text strings.Builder
	for _, c := range redacttest.Canaries("said") {
		s.hunt.Add(c.Kind+", as it is said", c.Value)
		text.WriteString(c.Said + "\n")
	}
	for _, c := range s.born {
		for _, form := range redacttest.Forms() {
			s.hunt.Add(c.Kind+" "+form.Name, form.Core(c.Value))
			text.WriteString(form.Of(c.Value) + "\n")
		}
	}
	s.text = text.String()
	return s
})

// leaky is a provisioner that says all of it wherever it can say something.
type leaky struct {
	provision.Provisioner
	cfg  provision.Config
	said *spill
	how  leaks
}

// leaks says where it goes wrong.
type leaks struct{ collect, down, product bool }

// learn registers what was born, as a process does that reads a kubeconfig.
func (l leaky) learn() error {
	var problems error
	for _, c := range l.said.born {
		problems = errors.Join(problems, l.cfg.Sink.Add(c.Kind, c.Value))
	}
	return problems
}

func (l leaky) Up(ctx context.Context, lease provision.Lease, spec provision.Spec) (*cluster.Cluster, error) {
	if err := l.learn(); err != nil {
		return nil, err
	}
	l.cfg.Log("%s", l.said.text)
	for line := range strings.Lines(l.said.text) {
		if len(line) < 300 { // a remark is a line
			l.cfg.Log("remark: %s", line)
		}
	}
	f, err := l.cfg.Sink.Append(filepath.Join(spec.Dir, "kind.log"))
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(f, l.said.text); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	if l.how.product {
		return nil, &provision.ProductError{Component: l.said.text, Doing: l.said.text, Log: l.said.text, Err: errors.New(l.said.text)}
	}
	return l.Provisioner.Up(ctx, lease, spec)
}

func (l leaky) Collect(ctx context.Context, lease provision.Lease, dir string) error {
	pods, err := l.cfg.Sink.Create(filepath.Join(dir, "pods.tar"))
	if err != nil {
		return err
	}
	var rotated bytes.Buffer
	z := gzip.NewWriter(&rotated)
	_, err = io.WriteString(z, l.said.text)
	w := tar.NewWriter(pods)
	err = errors.Join(err, z.Close())
	for name, text := range map[string]string{"pods/0.log": l.said.text, "pods/1.log.gz": rotated.String()} {
		_, writing := io.WriteString(headed(w, name, len(text)), text)
		err = errors.Join(err, writing)
	}
	err = errors.Join(err, w.Close(), pods.Close(), l.cfg.Sink.WriteFile(filepath.Join(dir, "container.log"), []byte(l.said.text)))
	if l.how.collect {
		err = errors.Join(err, errors.New(l.said.text))
	}
	return errors.Join(err, l.Provisioner.Collect(ctx, lease, dir))
}

func headed(w *tar.Writer, name string, size int) io.Writer {
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(size)}); err != nil {
		panic(err) // impossible: a plain file
	}
	return w
}

func (l leaky) Down(ctx context.Context, lease provision.Lease) error {
	if l.how.down {
		if err := l.learn(); err != nil {
			return err
		}
		if err := l.Provisioner.Down(ctx, lease); err != nil {
			return err
		}
		return &provision.LeftoverError{Resources: []provision.Resource{{Kind: "disk", Name: l.said.text}}, Err: errors.New(l.said.text)}
	}
	return l.Provisioner.Down(ctx, lease)
}

// leak makes the world's provisioner leaky.
func (w *world) leak(how leaks) {
	said := spilt()
	w.wrap = func(e provision.Entry) provision.Entry {
		inner := e.New
		e.New = func(cfg provision.Config) (provision.Provisioner, error) {
			p, err := inner(cfg)
			return leaky{p, cfg, said, how}, err
		}
		return e
	}
	w.options.Console = func(string) string { return said.text }
}

// talk is a suite that says all of it wherever it can say something.
func talk(_ context.Context, env suites.Env, emit func(result.Case)) error {
	said := spilt()
	for i, name := range env.Expected {
		emit(result.Case{Name: name, Outcome: []result.Outcome{result.Fail, result.Error, result.Skip}[i%3], Attempt: 1, Message: said.text, Log: said.text})
	}
	emit(result.Case{Name: "unexpected " + said.text, Outcome: result.Fail, Attempt: 1, Message: said.text})
	for _, name := range []string{"output.log", "process-1.log", "specs.jsonl"} {
		f, err := env.Sink.Create(filepath.Join(env.Dir, name))
		if err != nil {
			return err
		}
		_, err = io.WriteString(f, said.text)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return errors.New(said.text)
}

// listed is a suite whose test binary says all of it and dies.
func listed(ctx context.Context, env suites.Env, _ func(result.Case)) error {
	script := filepath.Join(env.Dir, "e2e.test")
	said := filepath.Join(os.Getenv("LEAK_DIR"), "said")
	text := "#!/bin/sh\necho \"$@\" >> " + filepath.Join(os.Getenv("LEAK_DIR"), "argv") + "\ncat " + said + "\ncat " + said + " >&2\nexit 2\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		return err
	}
	defer os.Remove(script)
	run := ginkgo.Run{Binary: script, Args: []string{"--kubeconfig=" + env.Cluster.Kubeconfig}, Specs: env.Expected, Procs: 2, Dir: env.Dir, Sink: env.Sink, Grace: time.Second}
	_, listing := run.List(ctx, "x")
	return errors.Join(listing, run.Execute(ctx, nil))
}

// Nothing of what a run is told in confidence is in what it leaves and says,
// whatever way it takes.
func TestNoSecretIsLeftAnywhere(t *testing.T) {
	said := spilt()
	kinds := map[string]bool{}
	for _, c := range said.born {
		kinds[c.Kind] = true
	}
	if len(kinds) < 25 || len(redacttest.Forms()) < 8 {
		t.Fatalf("only %d kinds and %d forms", len(kinds), len(redacttest.Forms()))
	}
	tests := []struct {
		name   string
		leaks  leaks
		suite  behaviour
		change func(*world)
		code   int
	}{
		{"cases", leaks{collect: true, down: true}, talk, nil, 1},
		{"test binaries", leaks{}, listed, nil, 3},
		{"the release", leaks{product: true}, pass, nil, 1},
		{"infrastructure", leaks{}, pass, func(w *world) {
			w.options.Answers = []fake.Answer{func(context.Context, fake.Call) (cluster.Output, bool, error) {
				return cluster.Output{Stdout: []byte(said.text), Stderr: []byte(said.text)}, true, errors.New(said.text)
			}}
		}, 3},
		{"identity", leaks{}, pass, func(w *world) {
			w.options.Answers = []fake.Answer{func(ctx context.Context, call fake.Call) (cluster.Output, bool, error) {
				out, known, err := fake.Identity(w.rel)(ctx, call)
				if strings.Contains(strings.Join(call.Cmd.Argv, " "), "sha256sum") {
					out.Stdout = []byte(strings.ReplaceAll(said.text, "\n", " ") + "  kubelet\n")
				}
				return out, known, err
			}}
		}, 3},
		{"a panic", leaks{}, func(context.Context, suites.Env, func(result.Case)) error { panic(said.text) }, nil, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			docker := recordArgv(t)
			w.leak(test.leaks)
			w.suites = []suites.Suite{tiny(test.suite)}
			if test.change != nil {
				test.change(w)
			}
			first := w.qualify(context.Background(), "--collect")
			if first.code != test.code {
				t.Errorf("exit code %d, want %d: %.2000s", first.code, test.code, first.stderr)
			}
			w.quiet(t, "run", first)
			for _, verb := range [][]string{{"judge"}, {"report"}, {"selftest"}, {"resume"}} {
				w.quiet(t, verb[0], w.call(context.Background(), append(verb, "--results", w.file("results"), "latest")...))
			}
			for _, more := range [][]string{{"gc"}, {"gc", "-o", "json"}, {"gc", "-o", "yaml"}} {
				w.quiet(t, "gc", w.call(context.Background(), append(more, "--results", w.file("results"))...))
			}
			w.hushed(t)
			for _, file := range []string{docker, filepath.Join(filepath.Dir(docker), "argv")} {
				if data, err := os.ReadFile(file); err == nil {
					seen(t, "the arguments of children", string(data))
				}
			}
		})
	}
}

// recordArgv puts a docker on the PATH that does nothing but note how it was
// called, and a file for what test binaries say. It returns the notes.
func recordArgv(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	notes := filepath.Join(dir, "docker.argv")
	script := "#!/bin/sh\necho \"$@\" >> " + notes + "\necho 20.10\n"
	err := errors.Join(os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o700), os.WriteFile(filepath.Join(dir, "said"), []byte(spilt().text), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("LEAK_DIR", dir)
	return notes
}

func seen(t *testing.T, where, text string) {
	t.Helper()
	n := 0
	for what, part := range spilt().hunt.Seen(text) {
		if n++; n > 5 {
			t.Errorf("%s: and more", where)
			return
		}
		at := strings.Index(text, part)
		t.Errorf("%s shows %q of %s in %q", where, part, what, text[max(0, at-60):min(len(text), at+60)])
	}
}

// quiet sees that a call said nothing that it may not.
func (w *world) quiet(t *testing.T, verb string, s said) {
	t.Helper()
	seen(t, verb+"'s stdout", s.stdout)
	seen(t, verb+"'s stderr", s.stderr)
	for _, line := range strings.Split(s.stdout+"\n"+s.stderr, "\n") {
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 }) || strings.HasPrefix(strings.TrimSpace(line), "::") {
			t.Errorf("%s prints a line that is a command to somebody: %q", verb, line)
			return
		}
	}
}

// hushed sees that the results have no secret in them, and that nobody else
// may read them.
func (w *world) hushed(t *testing.T) {
	t.Helper()
	files := 0
	root := w.file("results")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		switch {
		case d.IsDir():
			want = 0o700
		case d.Type()&fs.ModeSymlink != 0:
			if path != filepath.Join(root, "latest") {
				t.Errorf("%s is a link", path)
			}
			return nil
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %s, want %s", path, info.Mode().Perm(), want)
		}
		if d.IsDir() || d.Name() == "kubeconfig" { // which is the secret itself
			return nil
		}
		files++
		text, err := unpacked(path)
		seen(t, path, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 5 {
		t.Errorf("only %d files", files)
	}
}

// unpacked is the text of a file and, of a tar, that of what is in it.
func unpacked(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil || filepath.Ext(path) != ".tar" {
		return string(data), err
	}
	text := string(data)
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return text, nil
		}
		if err != nil {
			return text, fmt.Errorf("%s: %w", path, err)
		}
		if filepath.Ext(h.Name) == ".gz" {
			z, err := gzip.NewReader(r)
			if err != nil {
				return text, fmt.Errorf("%s: %w", h.Name, err)
			}
			unzipped, err := io.ReadAll(z)
			if err != nil {
				return text, fmt.Errorf("%s: %w", h.Name, err)
			}
			text += string(unzipped)
		}
	}
}

// Reports are made of the journal, also later and by a process that knows no
// secret: they come out the same.
func TestReportsOfRedactedRunsComeOutTheSame(t *testing.T) {
	w := newWorld(t)
	w.leak(leaks{collect: true})
	w.suites = []suites.Suite{tiny(talk)}
	w.qualify(context.Background())
	before := w.reports(t)
	w.call(context.Background(), "report", "--results", w.file("results"), "latest") // with a sink of its own
	after := w.reports(t)
	if len(before) < 4 || len(before) != len(after) {
		t.Fatalf("%d reports, and then %d", len(before), len(after))
	}
	for name, text := range before {
		if after[name] != text {
			t.Errorf("%s is another one", name)
		}
		if !strings.Contains(text, "‹redacted:") {
			t.Errorf("%s has nothing redacted in it, which shows little", name)
		}
	}
}

func (w *world) reports(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, pattern := range []string{"verdict.json", "report.html", "summary.md", "junit/*.xml"} {
		found, err := filepath.Glob(w.file("results/latest/" + pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.Base(file)] = string(data)
		}
	}
	return files
}

// The key material of a cluster is known before anybody gets the cluster.
func TestKubeconfigsAreRegistered(t *testing.T) {
	w := newWorld(t)
	w.suites = []suites.Suite{tiny(func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
		text, err := os.ReadFile(env.Cluster.Kubeconfig)
		if err != nil || !strings.Contains(string(text), fake.Token(env.Cluster.Name)) {
			t.Errorf("the kubeconfig is %q, %v", text, err)
		}
		emit(result.Case{Name: "dns", Outcome: result.Fail, Attempt: 1, Message: fake.Token(env.Cluster.Name) + " is what it said"})
		return nil
	})}
	said := w.qualify(context.Background())
	if !strings.Contains(said.stdout, `"dns" failed: ‹redacted:token› is what it said`) {
		t.Errorf("it answers %s", said.stdout)
	}
}

// A process that goes on with a run knows what its clusters' kubeconfigs hold
// before it touches them.
func TestResumeKnowsTheSecretsOfTheRun(t *testing.T) {
	w := newWorld(t)
	w.wrap = func(e provision.Entry) provision.Entry {
		inner := e.New
		e.New = func(cfg provision.Config) (provision.Provisioner, error) {
			p, err := inner(cfg)
			return stubborn{p}, err
		}
		return e
	}
	for _, said := range []said{w.qualify(context.Background()), w.call(context.Background(), "resume", "--results", w.file("results"), "latest")} {
		if said.code != 4 || !strings.Contains(said.stdout, "disk of ‹redacted:token›") {
			t.Errorf("exit code %d: %s%s", said.code, said.stdout, said.stderr)
		}
	}
	kubeconfigs, err := filepath.Glob(w.file("results/latest/cells/*/kubeconfig"))
	if err != nil || len(kubeconfigs) != 1 {
		t.Fatal(kubeconfigs, err)
	}
	if err := os.WriteFile(kubeconfigs[0], []byte("users: [{user: {token: short}}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := w.call(context.Background(), "resume", "--results", w.file("results"), "latest")
	if said.code != 3 || !strings.Contains(said.stderr, "registering the secrets of") {
		t.Errorf("a secret that cannot be registered: exit code %d: %s", said.code, said.stderr)
	}
}

// stubborn cannot remove something, and says the cluster's secret with it.
type stubborn struct{ provision.Provisioner }

func (s stubborn) Down(ctx context.Context, l provision.Lease) error {
	left := &provision.LeftoverError{Resources: []provision.Resource{{Kind: "disk", Name: "of " + fake.Token(l.Name)}}}
	return errors.Join(left, s.Provisioner.Down(ctx, l))
}

// A cluster whose keys cannot be registered is none.
func TestSecretsThatCannotBeRegistered(t *testing.T) {
	w := newWorld(t)
	w.wrap = func(e provision.Entry) provision.Entry {
		inner := e.New
		e.New = func(cfg provision.Config) (provision.Provisioner, error) {
			p, err := inner(cfg)
			return careless{p}, err
		}
		return e
	}
	said := w.qualify(context.Background(), "--retries", "0")
	if said.code != 3 || !strings.Contains(said.stdout, "registering the secrets of") || !strings.Contains(said.stdout, "7 bytes") {
		t.Errorf("exit code %d: %s", said.code, said.stdout)
	}
	if strings.Contains(said.stdout+said.stderr, "hunter2") {
		t.Error("and it shows the secret")
	}
	w.empty(t)
}

// careless makes clusters with a password that is too short.
type careless struct{ provision.Provisioner }

func (c careless) Up(ctx context.Context, l provision.Lease, s provision.Spec) (*cluster.Cluster, error) {
	made, err := c.Provisioner.Up(ctx, l, s)
	if err == nil {
		err = os.WriteFile(made.Kubeconfig, []byte("users: [{user: {password: hunter2}}]"), 0o600)
	}
	return made, err
}

// A plan is what its hash says: a secret in it is refused and not redacted.
func TestSecretsInPlansAreRefused(t *testing.T) {
	w := newWorld(t)
	dir := w.file("password=hunter2hunter2")
	err := errors.Join(os.Mkdir(dir, 0o700), os.Rename(w.file("release.yaml"), filepath.Join(dir, "release.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	said := w.call(context.Background(), "-f", w.file("matrix.yaml"), "--release", filepath.Join(dir, "release.yaml"), "--results", w.file("results"))
	if said.code != 2 || !strings.Contains(said.stderr, "the plan would hold what looks like a secret") || strings.Contains(said.stderr, "hunter2") {
		t.Errorf("exit code %d: %s", said.code, said.stderr)
	}
	if _, err := os.Stat(w.file("results")); err == nil {
		t.Error("results were made")
	}
}

// What was typed is recorded, and secrets among it are not.
func TestCommandLinesAreRedacted(t *testing.T) {
	w := newWorld(t)
	w.env["QUALIFY_RESULTS"] = w.file("results")
	w.env["QUALIFY_GRACE"] = "5m"
	said := w.call(context.Background(), "-f", w.file("matrix.yaml"), "--release", w.file("release.yaml"), "--results", w.file("results/token=ghp_0123456789abcdefghijABCDEFGHIJ012345"))
	if said.code != 0 {
		t.Fatalf("exit code %d: %s", said.code, said.stderr)
	}
	files, err := filepath.Glob(w.file("results/token=*/latest/run.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("runs: %v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil || strings.Contains(string(text), "ghp_") || !strings.Contains(string(text), "token=‹redacted:") || !strings.Contains(string(text), "QUALIFY_GRACE=5m") {
		t.Errorf("run.json says %s, %v", text, err)
	}
	if strings.Contains(said.stdout+said.stderr, "ghp_") {
		t.Errorf("it says %s%s", said.stdout, said.stderr)
	}
	// As texts, before they become JSON: what ends where, JSON may hide.
	o := runOptions{w: w.wiring("--os", "password=hunter2hunter2")}
	info := o.info(context.Background(), []string{"QUALIFY_K8S=password=hunter2hunter2"}, run.Plan{})
	if command := info.Command; strings.Contains(command, "hunter2") || strings.Count(command, "‹redacted:password›") != 2 {
		t.Errorf("the command is %q", command)
	}
}

// Mistakes of the user's are said without what is secret in them.
func TestMistakesAreRedacted(t *testing.T) {
	w := newWorld(t)
	for _, args := range [][]string{
		{"password=hunter2hunter2"}, {"--os", "password=hunter2hunter2"}, {"--release", "/nowhere/password=hunter2hunter2"},
		{"judge", "password=hunter2hunter2"}, {"release", "show", "password=hunter2hunter2"}, {"help", "password=hunter2hunter2"},
		{"-f", "/nowhere/password=hunter2hunter2"}, {"gc", "password=hunter2hunter2"}, {"selftest", "password=hunter2hunter2"}, {"resume", "password=hunter2hunter2"},
	} {
		if said := w.call(context.Background(), args...); said.code != 2 || strings.Contains(said.stdout+said.stderr, "hunter2") || !strings.Contains(said.stderr, "‹redacted:password›") {
			t.Errorf("%q: exit code %d: %s%s", args, said.code, said.stdout, said.stderr)
		}
	}
}

// shown remembers the news that reach a screen.
type shown struct{ news []any }

func (s *shown) show(_ time.Time, news any) { s.news = append(s.news, news) }
func (s *shown) close()                     {}

// The live view gets no news with secrets in them.
func TestNewsAreRedacted(t *testing.T) {
	s := newWorld(t).wiring().sink
	var screen shown
	ui := console{redacting{&screen, s.Text}}
	const secret = "password=hunter2hunter2"
	ui.line(secret)
	ui.step(source.Step{Name: secret})
	ui.event(result.Event{Kind: result.Note, Text: secret, Log: secret})
	if _, err := fmt.Fprintln(ui, secret); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%+v", screen.news)
	if strings.Contains(text, "hunter2") || strings.Count(text, "‹redacted:password›") != 5 || len(screen.news) != 4 {
		t.Errorf("%d news: %s", len(screen.news), text)
	}
}

// Every sink of the program is the one that it was wired with.
func TestSinksAreNotReplaced(t *testing.T) {
	w := newWorld(t)
	wired := w.wiring("version")
	var got *sink.Sink
	w.wrap = func(e provision.Entry) provision.Entry {
		inner := e.New
		e.New = func(cfg provision.Config) (provision.Provisioner, error) { got = cfg.Sink; return inner(cfg) }
		return e
	}
	shop, err := wired.workshop()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shop.provisioners([]string{fake.Name}, manner{}, t.Logf); err != nil || got != wired.sink {
		t.Errorf("the provisioner has the sink %p, the program %p, %v", got, wired.sink, err)
	}
}

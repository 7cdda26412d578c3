package provisiontest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// NodeDir is the only directory of a node that Transport touches. It is
// removed at the end. Where the node is the test's own machine, the tests of
// another checkout may be running beside: each process has its own.
var NodeDir = fmt.Sprintf("/tmp/qualify-transport-%d", os.Getpid())

// prompt is how long a call may take to see that its context has ended.
const prompt = 15 * time.Second

// Transport runs the contract of cluster.Transport against one node, which has
// a POSIX shell and the usual file utilities.
func Transport(t *testing.T, node cluster.Node) {
	r := remote{t, node}
	r.must("rm", "-rf", NodeDir) // a killed test may have had the same number
	t.Cleanup(func() { r.must("rm", "-rf", NodeDir) })
	for _, part := range []struct {
		name string
		run  func(remote)
	}{
		{"exit codes", exitCodes}, {"absent program", absentProgram}, {"words of an engine", engineWords},
		{"streams", streams}, {"arguments", arguments}, {"stdin", stdin}, {"exec cancelled", execCancelled},
		{"put and get", putAndGet}, {"put replaces", putReplaces}, {"put fails", putFails}, {"puts at once", putsAtOnce},
		{"get fails", getFails}, {"ended context", endedContext},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(remote{t, node}) })
	}
}

type remote struct {
	*testing.T
	node cluster.Node
}

func (r remote) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	r.Cleanup(cancel)
	return ctx
}

// must runs a command that has to succeed, and returns its output.
func (r remote) must(argv ...string) string {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := r.node.Exec(ctx, cluster.Command(argv...))
	if err != nil {
		r.Fatalf("%v: %v", argv, err)
	}
	return string(out.Stdout)
}

func (r remote) put(file string, mode fs.FileMode, text string) {
	r.Helper()
	if err := r.node.Put(r.context(), file, mode, strings.NewReader(text)); err != nil {
		r.Fatalf("put: %v", err)
	}
}

func (r remote) get(file string) string {
	r.Helper()
	var b bytes.Buffer
	if err := r.node.Get(r.context(), file, &b); err != nil {
		r.Fatalf("get: %v", err)
	}
	return b.String()
}

// files lists a directory of the node, hidden files too.
func (r remote) files(dir string) []string {
	r.Helper()
	return strings.Fields(r.must("ls", "-A", dir))
}

func exitCodes(r remote) {
	for _, code := range []int{1, 2, 7, 125, 126, 127, 255} {
		cmd := cluster.Script(fmt.Sprintf("echo out; echo err >&2; exit %d", code))
		out, err := r.node.Exec(r.context(), cmd)
		var exit *cluster.ExitError
		if !errors.As(err, &exit) || exit.Code != code {
			r.Errorf("exit %d gives %v", code, err)
			continue
		}
		if exit.Node != r.node.Name || exit.Cmd.String() != cmd.String() {
			r.Errorf("the error is of %q and %q", exit.Node, exit.Cmd)
		}
		for _, o := range []cluster.Output{out, exit.Output} {
			if string(o.Stdout) != "out\n" || string(o.Stderr) != "err\n" {
				r.Errorf("exit %d: stdout %q, stderr %q", code, o.Stdout, o.Stderr)
			}
		}
	}
}

func absentProgram(r remote) {
	out, err := r.node.Exec(r.context(), cluster.Command("qualify-no-such-program"))
	var exit *cluster.ExitError
	if err == nil || errors.As(err, &exit) && exit.Code != 127 && exit.Code != 126 {
		r.Errorf("a program that is not there gives %v, %+v", err, out)
	}
}

// engineWords are what transports hear from their own engine. A command that
// ran may say the same of something else, and is still a command that ran.
func engineWords(r remote) {
	for _, words := range []string{
		"connection refused", "EOF", "unexpected EOF", "connection reset by peer", "No such container: web", "not found",
		"curl: (7) connect: connection refused", "Error from server: error dialing backend: EOF",
	} {
		_, err := r.node.Exec(r.context(), cluster.Command("sh", "-c", `echo "$1" >&2; exit 1`, "sh", words))
		var exit *cluster.ExitError
		if !errors.As(err, &exit) || exit.Code != 1 || string(exit.Output.Stderr) != words+"\n" {
			r.Errorf("a command that says %q gives %v", words, err)
		}
	}
}

func streams(r remote) {
	out, err := r.node.Exec(r.context(), cluster.Script(`printf 'a\0b\r\n\n'; printf ' c \n\n' >&2`))
	if err != nil || string(out.Stdout) != "a\x00b\r\n\n" || string(out.Stderr) != " c \n\n" {
		r.Errorf("stdout %q, stderr %q, %v", out.Stdout, out.Stderr, err)
	}
	out, err = r.node.Exec(r.context(), cluster.Script(`i=0; while [ $i -lt 20000 ]; do echo 0123456789; echo 9876543210 >&2; i=$((i+1)); done`))
	if err != nil || len(out.Stdout) != 220000 || len(out.Stderr) != 220000 {
		r.Errorf("much output: %d and %d bytes, %v", len(out.Stdout), len(out.Stderr), err)
	}
}

// arguments reach the program as they are: there is no shell in between.
func arguments(r remote) {
	args := []string{"", " ", "two words", "$HOME", "`id`", `"`, `'`, `\`, "*", "a\nb", "ü", "-n", "--", ";", "%s"}
	got := r.must(append([]string{"sh", "-euc", `for a; do printf '%s\0' "$a"; done`, "sh"}, args...)...)
	if want := strings.Join(args, "\x00") + "\x00"; got != want {
		r.Errorf("arguments %q, want %q", got, want)
	}
}

func stdin(r remote) {
	data := noise(1<<20 + 1)
	out, err := r.node.Exec(r.context(), cluster.Cmd{Argv: []string{"cat"}, Stdin: bytes.NewReader(data)})
	if err != nil || !bytes.Equal(out.Stdout, data) {
		r.Errorf("%d of %d bytes came back: %v", len(out.Stdout), len(data), err)
	}
	if out, err := r.node.Exec(r.context(), cluster.Command("cat")); err != nil || len(out.Stdout) != 0 {
		r.Errorf("without input: %q, %v", out.Stdout, err)
	}
	// A program that does not read its input to the end is none that failed.
	out, err = r.node.Exec(r.context(), cluster.Cmd{Argv: []string{"true"}, Stdin: bytes.NewReader(data)})
	if err != nil {
		r.Errorf("input that nobody reads: %q, %v", out.Stderr, err)
	}
}

func execCancelled(r remote) {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(200*time.Millisecond, cancel)
	r.cutShort(ctx, context.Canceled)
	ctx, cancel = context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	r.cutShort(ctx, context.DeadlineExceeded)
}

func (r remote) cutShort(ctx context.Context, want error) {
	r.Helper()
	start := time.Now()
	_, err := r.node.Exec(ctx, cluster.Command("sleep", "60"))
	var exit *cluster.ExitError
	if !errors.Is(err, want) || errors.As(err, &exit) {
		r.Errorf("error %v, want %v and no exit code", err, want)
	}
	if took := time.Since(start); took > prompt {
		r.Errorf("returned after %s", took)
	}
}

func putAndGet(r remote) {
	data := string(noise(1<<20 + 1))
	for file, mode := range map[string]fs.FileMode{"plain": 0o644, "secret": 0o600, "program": 0o755, "in/a new/folder": 0o640} {
		at := NodeDir + "/get/" + file
		r.put(at, mode, data)
		if got := r.get(at); got != data {
			r.Errorf("%s: %d bytes came back of %d", file, len(got), len(data))
		}
		if got := strings.TrimSpace(r.must("stat", "-c", "%a %F", at)); got != fmt.Sprintf("%o regular file", mode) {
			r.Errorf("%s has mode %s, want %o", file, got, mode)
		}
		if got := r.must("cat", at); got != data {
			r.Errorf("%s: programs on the node see %d bytes of %d", file, len(got), len(data))
		}
	}
	r.put(NodeDir+"/get/empty", 0o644, "")
	if got := strings.TrimSpace(r.must("stat", "-c", "%s", NodeDir+"/get/empty")); got != "0" {
		r.Errorf("an empty file has %s bytes", got)
	}
}

func putReplaces(r remote) {
	dir := NodeDir + "/replace"
	r.put(dir+"/f", 0o755, "first, and longer")
	r.put(dir+"/f", 0o600, "second")
	if got := r.get(dir + "/f"); got != "second" {
		r.Errorf("content %q", got)
	}
	if got := strings.TrimSpace(r.must("stat", "-c", "%a", dir+"/f")); got != "600" {
		r.Errorf("mode %s", got)
	}
	if got := r.files(dir); !slices.Equal(got, []string{"f"}) {
		r.Errorf("files %q", got)
	}
}

// putFails cuts the source short: what was there stays, and is all there is.
func putFails(r remote) {
	dir := NodeDir + "/fail"
	r.put(dir+"/f", 0o644, "old")
	broken := errors.New("the source broke")
	half := func() io.Reader { return strings.NewReader("new, but not all of it") }
	err := r.node.Put(r.context(), dir+"/f", 0o644, io.MultiReader(half(), failing{broken}))
	if !errors.Is(err, broken) {
		r.Errorf("a source that breaks gives %v", err)
	}
	r.unchanged(dir)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(300*time.Millisecond, cancel)
	start := time.Now()
	blocked, unblock := io.Pipe()
	defer unblock.Close()
	err = r.node.Put(ctx, dir+"/f", 0o644, io.MultiReader(half(), blocked))
	if !errors.Is(err, context.Canceled) {
		r.Errorf("a put that is cancelled gives %v", err)
	}
	if took := time.Since(start); took > prompt {
		r.Errorf("a put that is cancelled returned after %s", took)
	}
	r.unchanged(dir)
}

type failing struct{ err error }

// Read fails.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

func (r remote) unchanged(dir string) {
	r.Helper()
	// A program on the node may need a moment to hear that its input ended.
	for end := time.Now().Add(prompt); len(r.files(dir)) > 1 && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	if got := r.files(dir); !slices.Equal(got, []string{"f"}) {
		r.Errorf("files %q", got)
	}
	if got := r.get(dir + "/f"); got != "old" {
		r.Errorf("the file now has %q", got)
	}
}

// putsAtOnce wants whoever reads to find one of the texts, and never a mixture.
func putsAtOnce(r remote) {
	dir := NodeDir + "/race"
	texts := []string{strings.Repeat("a", 300_000), strings.Repeat("b", 200_000), strings.Repeat("c", 100_000)}
	r.put(dir+"/f", 0o644, texts[0])
	ctx := r.context()
	var writers sync.WaitGroup
	defer writers.Wait() // where a read ends the test
	for _, text := range texts {
		writers.Go(func() {
			for range 3 {
				if err := r.node.Put(ctx, dir+"/f", 0o644, strings.NewReader(text)); err != nil {
					r.Errorf("put: %v", err)
				}
			}
		})
	}
	for range 5 {
		if got := r.get(dir + "/f"); !slices.Contains(texts, got) {
			r.Errorf("read %d bytes that nobody wrote", len(got))
		}
	}
	writers.Wait()
	if got := r.get(dir + "/f"); !slices.Contains(texts, got) {
		r.Errorf("left %d bytes that nobody wrote", len(got))
	}
	if got := r.files(dir); !slices.Equal(got, []string{"f"}) {
		r.Errorf("files %q", got)
	}
}

func getFails(r remote) {
	r.put(NodeDir+"/there", 0o644, "content")
	var b bytes.Buffer
	if err := r.node.Get(r.context(), NodeDir+"/absent", &b); err == nil || b.Len() > 0 {
		r.Errorf("a file that is not there gives %q, %v", b.String(), err)
	} else if !strings.Contains(err.Error(), "absent") {
		r.Errorf("the error does not name the file: %v", err)
	}
	if err := r.node.Get(r.context(), NodeDir, &b); err == nil || b.Len() > 0 {
		r.Errorf("a directory gives %q, %v", b.String(), err)
	}
	broken := errors.New("the sink broke")
	if err := r.node.Get(r.context(), NodeDir+"/there", sink{broken}); err == nil {
		r.Error("a sink that breaks gives no error")
	}
}

type sink struct{ err error }

// Write fails.
func (s sink) Write([]byte) (int, error) { return 0, s.err }

// endedContext wants nothing to happen any more.
func endedContext(r remote) {
	dir := NodeDir + "/ended"
	r.put(dir+"/f", 0o644, "old")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.node.Exec(ctx, cluster.Command("rm", dir+"/f")); !errors.Is(err, context.Canceled) {
		r.Errorf("exec: %v", err)
	}
	if err := r.node.Put(ctx, dir+"/f", 0o644, strings.NewReader("new")); !errors.Is(err, context.Canceled) {
		r.Errorf("put: %v", err)
	}
	var b bytes.Buffer
	if err := r.node.Get(ctx, dir+"/f", &b); !errors.Is(err, context.Canceled) || b.Len() > 0 {
		r.Errorf("get: %q, %v", b.String(), err)
	}
	r.unchanged(dir)
}

// noise is the same on every call: bytes that no text filter leaves alone.
func noise(n int) []byte {
	source := rand.NewPCG(1, 2)
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(source.Uint64())
	}
	return data
}

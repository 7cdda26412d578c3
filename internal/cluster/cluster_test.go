package cluster

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCmdString(t *testing.T) {
	tests := []struct {
		argv []string
		want string
	}{
		{[]string{"ctr", "-n", "k8s.io", "images", "ls"}, "ctr -n k8s.io images ls"},
		{[]string{"echo", "", " ", "a b"}, "echo '' ' ' 'a b'"},
		{[]string{"echo", "it's", "$HOME", "a\nb"}, `echo 'it'\''s' '$HOME' 'a` + "\n" + `b'`},
		{[]string{"go", "-p=1", "a,b", "x@y", "50%", "a+b", "/a_b.c:1"}, "go -p=1 a,b x@y 50% a+b /a_b.c:1"},
		{[]string{"ls", "~", "*", "ü"}, "ls '~' '*' 'ü'"},
		{nil, ""},
	}
	for _, tt := range tests {
		if got := Command(tt.argv...).String(); got != tt.want {
			t.Errorf("%q prints %s, want %s", tt.argv, got, tt.want)
		}
	}
}

// What String prints, a shell reads as the same arguments.
func TestCmdStringCanBePasted(t *testing.T) {
	pieces := []string{"a", "-", "'", `"`, `\`, "$", "`", "$(id)", " ", "\t", "\n", "*", "?", "~", "#", "!", "&", ";", "|", "<", ">", "{a,b}", "[", "ü", "\xff", "=", "%", "^"}
	word := rapid.Map(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 6), func(p []string) string { return strings.Join(p, "") })
	shells := 0
	rapid.Check(t, func(rt *rapid.T) {
		if shells++; shells > 50 {
			return // each check starts a shell
		}
		// Many words at once, since a shell is what costs time.
		words := rapid.SliceOfN(word, 1, 40).Draw(rt, "words")
		argv := append([]string{"printf", `%s\0`}, words...)
		out, err := exec.Command("sh", "-c", Command(argv...).String()).Output()
		if err != nil {
			rt.Fatal(err)
		}
		if want := strings.Join(words, "\x00") + "\x00"; string(out) != want {
			rt.Fatalf("the shell read %q, want %q", out, want)
		}
	})
}

func TestScriptStopsAtItsFirstError(t *testing.T) {
	argv := Script("false; echo went on; echo $UNSET").Argv
	if out, err := exec.Command(argv[0], argv[1:]...).Output(); err == nil || len(out) > 0 {
		t.Errorf("%q, %v", out, err)
	}
	argv = Script("echo $UNSET_BY_ANYONE").Argv
	if err := exec.Command(argv[0], argv[1:]...).Run(); err == nil {
		t.Error("an unset variable is nothing")
	}
}

func TestExitErrorSaysWhatCameBack(t *testing.T) {
	of := func(stdout, stderr string) *ExitError {
		return &ExitError{Node: "n", Cmd: Command("cat", "a b"), Code: 3, Output: Output{Stdout: []byte(stdout), Stderr: []byte(stderr)}}
	}
	if got, want := of("out", " err\n").Error(), "on node n: cat 'a b': exit code 3: err"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := of("out\n", "\n").Error(); !strings.HasSuffix(got, "exit code 3: out") {
		t.Errorf("%q does not fall back on stdout", got)
	}
	long := of("", strings.Repeat("x", 1000)+"the end").Error()
	if len(long) > 700 || !strings.HasSuffix(long, "xthe end") || !strings.Contains(long, "…") {
		t.Errorf("%d bytes: %s", len(long), long)
	}
	var exit *ExitError
	if !errors.As(fmt.Errorf("reading: %w", of("", "")), &exit) || exit.Code != 3 {
		t.Error("the code is lost in wrapping")
	}
}

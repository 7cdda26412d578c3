package specs

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodImage = "registry.example/e2e/agnhost:2.56"

const goodConfig = `apiVersion: v1
kind: Config
current-context: one
contexts: [{name: one, context: {cluster: one, user: one}}]
clusters: [{name: one, cluster: {server: "https://127.0.0.1:6443"}}]
users: [{name: one, user: {token: t}}]
`

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	good, empty, broken := filepath.Join(dir, "good"), filepath.Join(dir, "empty"), filepath.Join(dir, "broken")
	for path, text := range map[string]string{good: goodConfig, empty: "", broken: "{"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		call  Call
		image string
		args  []string
		want  []string // parts of the message; none means accepted
	}{
		"good":                 {call: Call{Kubeconfig: good}, image: goodImage},
		"digest":               {call: Call{Kubeconfig: good}, image: "registry.example/a@sha256:" + strings.Repeat("a", 64)},
		"dry run, empty file":  {call: Call{Kubeconfig: empty, DryRun: true}, image: goodImage},
		"nothing":              {want: []string{"--kubeconfig is required", "--agnhost-image is required"}},
		"dry run, nothing":     {call: Call{DryRun: true}, image: goodImage, want: []string{"--kubeconfig is required"}},
		"no such file":         {call: Call{Kubeconfig: filepath.Join(dir, "none")}, image: goodImage, want: []string{"no such file"}},
		"folder":               {call: Call{Kubeconfig: dir}, image: goodImage, want: []string{"is not a file"}},
		"empty file":           {call: Call{Kubeconfig: empty}, image: goodImage, want: []string{"names no cluster"}},
		"broken file":          {call: Call{Kubeconfig: broken}, image: goodImage, want: []string{"--kubeconfig " + broken}},
		"unknown context":      {call: Call{Kubeconfig: good, Context: "two"}, image: goodImage, want: []string{`"two"`}},
		"short image":          {call: Call{Kubeconfig: good}, image: "agnhost:2.56", want: []string{"not a full image reference"}},
		"image without a tag":  {call: Call{Kubeconfig: good}, image: "registry.example/agnhost", want: []string{"neither tag nor digest"}},
		"left-over word":       {call: Call{Kubeconfig: good}, image: goodImage, args: []string{"stray"}, want: []string{`unknown argument "stray"`}},
		"go's own selection":   {call: Call{Kubeconfig: good}, image: goodImage, args: []string{"-test.run=None"}, want: []string{"--ginkgo.focus"}},
		"go's count of zero":   {call: Call{Kubeconfig: good}, image: goodImage, args: []string{"-test.count=0"}, want: []string{"--test.count"}},
		"go's ordinary number": {call: Call{Kubeconfig: good}, image: goodImage, args: []string{"-test.count=1"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			flags := flag.NewFlagSet(name, flag.ContinueOnError)
			flags.String("test.run", "", "")
			flags.Uint("test.count", 1, "")
			opts := &Options{}
			opts.AddFlags(flags)
			if err := flags.Parse(append([]string{"--agnhost-image=" + tc.image}, tc.args...)); err != nil {
				t.Fatal(err)
			}
			tc.call.Flags = flags
			checkMessage(t, opts.Check(tc.call), tc.want)
		})
	}
}

func checkMessage(t *testing.T, err error, want []string) {
	t.Helper()
	if len(want) == 0 {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	if err == nil {
		t.Fatalf("accepted, want an error with %q", want)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has more than one line: %q", err)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not contain %q", err, part)
		}
	}
}

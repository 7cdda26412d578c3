package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every flag of run has a variable, and no two have the same.
func TestEveryFlagOfRunHasItsVariable(t *testing.T) {
	values := map[string]string{
		"os": "debian-12", "k8s": "1.34,1.33", "containerd": "os", "provisioner": "kind",
		"conformance": "full", "focus": "dns", "skip": "Serial", "backend": "pod", "plugin": "x.yaml", "test-images": "made", "suite": "smoke",
		"file": "m.yaml", "policy": "p.yaml", "release": "source:v1.34.4",
		"selector": "arch=amd64", "only": "debian", "tier": "gate", "as-of": "2026-01-01",
		"strength": "2", "optimize": "1s", "seed": "7",
		"inventory": "i.yaml", "trust-new-host-keys": "true", "kubeconfig": "k.yaml", "context": "prod", "base-url": "https://example.org", "allow-unbound": "true", "image-registry": "r.example/x",
		"results": "there", "grace": "1m0s", "retries": "2", "reruns": "3", "workers": "3", "clusters": "2", "force-invalid": "true", "procs": "4", "parallel": "3", "keep": "true", "collect": "1", "no-live": "true",
	}
	w := wiring{lookup: func(name string) (string, bool) {
		for flag, value := range values {
			if name == "QUALIFY_"+strings.ToUpper(strings.ReplaceAll(flag, "-", "_")) {
				return value, true
			}
		}
		return "", false
	}}
	cmd := newRunCommand(w)
	used, err := w.fromEnvironment(cmd)
	if err != nil || len(used) != len(values) {
		t.Errorf("%d of %d variables took effect, %v", len(used), len(values), err)
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		want, known := values[f.Name]
		if f.Name == "help" {
			return
		}
		if !known || !f.Changed {
			t.Errorf("--%s has no variable", f.Name)
		}
		if got := strings.Trim(f.Value.String(), "[]"); got != want && want != "1" {
			t.Errorf("--%s is %q, want %q", f.Name, got, want)
		}
	})
}

func TestFromEnvironment(t *testing.T) {
	flags := func(args ...string) (*cobra.Command, *string, *int) {
		cmd := &cobra.Command{Use: "x"}
		results := cmd.Flags().String("results", "here", "")
		procs := cmd.Flags().Int("procs", 1, "")
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		return cmd, results, procs
	}
	with := func(env map[string]string) wiring {
		return wiring{lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	}
	t.Run("a flag beats its variable", func(t *testing.T) {
		cmd, results, procs := flags("--results", "typed")
		used, err := with(map[string]string{"QUALIFY_RESULTS": "set", "QUALIFY_PROCS": "2"}).fromEnvironment(cmd)
		if err != nil || *results != "typed" || *procs != 2 || strings.Join(used, " ") != "QUALIFY_PROCS=2" {
			t.Errorf("%s, %d by %v, %v", *results, *procs, used, err)
		}
	})
	t.Run("only what is asked for", func(t *testing.T) {
		cmd, results, procs := flags()
		_, err := with(map[string]string{"QUALIFY_RESULTS": "set", "QUALIFY_PROCS": "many"}).fromEnvironment(cmd, "results")
		if err != nil || *results != "set" || *procs != 1 {
			t.Errorf("%s, %d, %v", *results, *procs, err)
		}
	})
	t.Run("every mistake at once, by name", func(t *testing.T) {
		cmd, _, _ := flags()
		_, err := with(map[string]string{"QUALIFY_RESULTS": "", "QUALIFY_PROCS": "many"}).fromEnvironment(cmd)
		var usage *usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), "QUALIFY_RESULTS: it is empty") || !strings.Contains(err.Error(), "QUALIFY_PROCS: ") {
			t.Errorf("error %v", err)
		}
	})
}

func TestBlameEnvironment(t *testing.T) {
	used := []string{"QUALIFY_OS=a b"}
	if err := blameEnvironment(nil, used); err != nil {
		t.Errorf("nothing becomes %v", err)
	}
	if err := blameEnvironment(context.Canceled, used); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "QUALIFY") {
		t.Errorf("what is no mistake of the user's becomes %v", err)
	}
	mistake := usagef("unknown os")
	if err := blameEnvironment(mistake, nil); err != mistake {
		t.Errorf("without variables it becomes %v", err)
	}
	var usage *usageError
	if err := blameEnvironment(mistake, used); !errors.As(err, &usage) || !strings.HasSuffix(err.Error(), "unknown os\n(from the environment: 'QUALIFY_OS=a b')") {
		t.Errorf("it becomes %q", err)
	}
}

func TestTerminalOf(t *testing.T) {
	ptm, tty, err := pty.Open()
	if err != nil {
		t.Skipf("this machine gives no terminal: %v", err)
	}
	defer ptm.Close()
	defer tty.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	with := func(pairs ...string) wiring {
		return wiring{lookup: func(name string) (string, bool) {
			for _, pair := range pairs {
				if key, value, _ := strings.Cut(pair, "="); key == name {
					return value, true
				}
			}
			return "", false
		}}
	}
	if w := with("TERM=xterm"); w.terminalOf(tty) != tty || !w.colourful(tty) {
		t.Error("a terminal is none")
	}
	if w := with("TERM=xterm", "NO_COLOR=1"); w.terminalOf(tty) != tty || w.colourful(tty) {
		t.Error("NO_COLOR does not take the colours alone")
	}
	if w := with("TERM=xterm", "NO_COLOR="); !w.colourful(tty) {
		t.Error("an empty NO_COLOR takes the colours")
	}
	for name, is := range map[string]*os.File{
		"no TERM":        with().terminalOf(tty),
		"a dumb one":     with("TERM=dumb").terminalOf(tty),
		"/dev/null":      with("TERM=xterm").terminalOf(null),
		"no file at all": with("TERM=xterm").terminalOf(&strings.Builder{}),
	} {
		if is != nil {
			t.Errorf("%s is a terminal", name)
		}
	}
}

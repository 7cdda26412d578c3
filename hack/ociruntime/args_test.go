package main

import (
	"strings"
	"testing"
)

func TestFindRequest(t *testing.T) {
	tests := []struct {
		name string
		args string
		want string // "" when there is nothing to trim
		bare bool
	}{
		{"as containerd calls it", "--root /run/r --log /b/log.json --log-format json create --bundle /b --pid-file /b/init.pid ID", "/b/config.json", false},
		{"inline value", "create --bundle=/b ID", "/b/config.json", false},
		{"short option", "run -b /b ID", "/b/config.json", false},
		{"single dash", "run -bundle /b ID", "/b/config.json", false},
		{"option after the name", "create ID --bundle /b", "/b/config.json", false},
		{"default bundle", "create ID", "config.json", false},
		{"restore", "restore --image-path /i --bundle /b ID", "/b/config.json", false},
		{"bundle without value", "create ID --bundle", "config.json", false},
		{"global flags", "--debug --systemd-cgroup run -b /b ID", "/b/config.json", false},
		{"global inline value", "--root=/r run -b /b ID", "/b/config.json", false},
		{"command name as a value", "--root create state ID", "", false},
		{"exec with a file", "--root /r exec --process /tmp/p --detach --pid-file /f ID", "/tmp/p", true},
		{"exec inline file", "exec --process=/tmp/p ID", "/tmp/p", true},
		{"exec short file", "exec -d -p /tmp/p ID", "/tmp/p", true},
		{"exec file after values", "exec --console-socket /s --cwd -p --process /tmp/p ID", "/tmp/p", true},
		{"exec by options", "exec --cap CAP_CHOWN ID sh -c true", "", false},
		{"exec of a command with our option", "exec ID mkdir -p /tmp/p", "", false},
		{"exec after a dash dash", "exec -- ID -p /tmp/p", "", false},
		{"exec without value", "exec --process", "", false},
		{"start", "start ID", "", false},
		{"delete", "delete --force ID", "", false},
		{"version", "--version", "", false},
		{"nothing", "", "", false},
		{"global option without value", "--root", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := findRequest(strings.Fields(test.args))
			if ok != (test.want != "") {
				t.Fatalf("found %v, %+v", ok, got)
			}
			if ok && got != (request{path: test.want, bare: test.bare}) {
				t.Errorf("got %+v, want %s bare=%v", got, test.want, test.bare)
			}
		})
	}
}

func TestOption(t *testing.T) {
	tests := []struct {
		arg, name, value string
		inline, ok       bool
	}{
		{"--a", "a", "", false, true},
		{"-a", "a", "", false, true},
		{"--a=b=c", "a", "b=c", true, true},
		{"--a=", "a", "", true, true},
		{"a", "", "", false, false},
		{"-", "", "", false, false},
		{"--", "", "", false, false},
		{"", "", "", false, false},
	}
	for _, test := range tests {
		name, value, inline, ok := option(test.arg)
		if name != test.name || value != test.value || inline != test.inline || ok != test.ok {
			t.Errorf("option(%q) = %q %q %v %v", test.arg, name, value, inline, ok)
		}
	}
}

func FuzzFindRequest(f *testing.F) {
	f.Add("--root /r create --bundle /b ID")
	f.Add("exec -p /tmp/p ID")
	f.Fuzz(func(t *testing.T, line string) {
		got, ok := findRequest(strings.Fields(line))
		if ok && got.path == "" {
			t.Errorf("a request without a file: %q", line)
		}
	})
}

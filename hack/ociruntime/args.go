package main

import (
	"path/filepath"
	"strings"
)

// request is a file in which a caller tells runc what to run.
type request struct {
	path string
	// bare is true for a file that holds a process alone (exec --process)
	// and false for a container's whole config.json.
	bare bool
}

// globalValues are runc's options before the command that take a value as the
// next argument. They must be known, or `--root create state X` would be read
// as a create.
var globalValues = map[string]bool{
	"log": true, "log-format": true, "root": true, "criu": true, "rootless": true,
}

// execValues are the options of `runc exec` that take a value. They must be
// known since the first argument that belongs to no option is the container,
// and all that follows is the command inside it, whose options are not ours.
var execValues = map[string]bool{
	"console-socket": true, "pidfd-socket": true, "cwd": true,
	"env": true, "e": true, "user": true, "u": true,
	"additional-gids": true, "g": true, "process": true, "p": true,
	"pid-file": true, "process-label": true, "apparmor": true,
	"cap": true, "c": true, "preserve-fds": true, "cgroup": true,
}

// findRequest finds the file that runc will read when called with args. It
// returns false for a command that starts nothing, and for an exec whose
// process is described by options instead of a file.
func findRequest(args []string) (request, bool) {
	rest := args
	for len(rest) > 0 {
		name, _, inline, ok := option(rest[0])
		if !ok {
			break
		}
		rest = rest[1:]
		if globalValues[name] && !inline && len(rest) > 0 {
			rest = rest[1:]
		}
	}
	if len(rest) == 0 {
		return request{}, false
	}
	switch rest[0] {
	case "create", "run", "restore":
		return request{path: filepath.Join(bundle(rest[1:]), "config.json")}, true
	case "exec":
		path := processFile(rest[1:])
		return request{path: path, bare: true}, path != ""
	}
	return request{}, false
}

// bundle is the directory of the container to make. The option is looked for
// among all arguments, since runc lets options follow the container's name.
func bundle(args []string) string {
	for i, arg := range args {
		name, value, inline, ok := option(arg)
		if !ok || name != "bundle" && name != "b" {
			continue
		}
		if inline {
			return value
		}
		if i+1 < len(args) {
			return args[i+1]
		}
	}
	return "."
}

// processFile is the file given to `runc exec`, or "" when there is none.
func processFile(args []string) string {
	for len(args) > 0 {
		name, value, inline, ok := option(args[0])
		if !ok {
			return ""
		}
		args = args[1:]
		if !inline && execValues[name] {
			if len(args) == 0 {
				return ""
			}
			value, args = args[0], args[1:]
		}
		if name == "process" || name == "p" {
			return value
		}
	}
	return ""
}

// option splits `--name`, `-name` and `--name=value` as Go's flag package
// does. It returns ok false for what is not an option: a word, `-` and `--`.
func option(arg string) (name, value string, inline, ok bool) {
	trimmed := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	if trimmed == arg || trimmed == "" {
		return "", "", false, false
	}
	name, value, inline = strings.Cut(trimmed, "=")
	return name, value, inline, true
}

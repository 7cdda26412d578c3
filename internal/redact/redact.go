// Package redact takes secrets out of text before anybody sees it. It finds
// the values that it was told of, in every form in which programs print them,
// and what looks like a secret by itself: keys, tokens, passwords.
//
// It is pure: text in, text out. Who opens files and streams puts it before
// them (internal/sink).
package redact

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// Redactor knows the secrets of one process. It may be used from many
// goroutines.
//
// Redacting is a pure function of the text and of what was added before, and
// what it has redacted once it leaves alone: reports that are made of a
// redacted journal come out the same, also in a process that knows no secret.
type Redactor struct {
	mu    sync.RWMutex
	known index
}

// New returns a redactor that knows no secret, and finds what looks like one.
func New() *Redactor { return &Redactor{known: newIndex()} }

// The bounds of what can be registered.
const (
	minSecret = 8        // bytes; shorter ones stand in every log by chance
	maxSecret = 64 << 10 // no key or token is larger
)

// mostKind bounds the names of kinds.
const mostKind = 40

// kindForm keeps replacements harmless wherever they end up.
var kindForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Add registers a secret. It is an error, and must be one of whoever made the
// secret, where the value is too short or too common to be told from other
// text: going on would print it. The error does not hold the value.
func (r *Redactor) Add(kind, value string) error {
	if !kindForm.MatchString(kind) || len(kind) > mostKind {
		return fmt.Errorf("registering a secret: its kind %q is no name of at most %d a-z 0-9 and dashes", kind, mostKind)
	}
	value = strings.TrimSpace(value)
	if why := unfit(value); why != "" {
		return fmt.Errorf("registering a secret of kind %s: its value %s, so that it cannot be told from other text; make a longer one", kind, why)
	}
	forms := formsOf(value)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, form := range forms {
		r.known.add(kind, form)
	}
	return nil
}

// common are words that a secret is sometimes made of, and that logs are full
// of. Shorter ones are refused by their length.
var common = map[string]bool{
	"administrator": true, "anonymous": true, "authenticated": true, "certificate": true, "changeme": true, "changeit": true,
	"cluster-admin": true, "containerd": true, "control-plane": true, "credentials": true, "default-token": true, "disabled": true,
	"kube-apiserver": true, "kube-proxy": true, "kube-public": true, "kube-scheduler": true, "kube-system": true, "kubeconfig": true,
	"kubernetes": true, "kubernetes-admin": true, "localhost": true, "localhost:6443": true, "namespace": true, "password": true,
	"passw0rd": true, "password1": true, "password123": true, "postgres": true, "redacted": true, "registry": true, "required": true,
	"rootroot": true, "serviceaccount": true, "undefined": true, "unauthenticated": true, "username": true,
}

// unfit says why a value cannot be a secret; the answer does not hold it.
func unfit(value string) string {
	different := map[rune]bool{}
	for _, c := range value {
		different[c] = true
	}
	switch lower := strings.ToLower(value); {
	case len(value) < minSecret:
		return fmt.Sprintf("has %d bytes, less than %d", len(value), minSecret)
	case len(value) > maxSecret:
		return fmt.Sprintf("has %d bytes, more than %d", len(value), maxSecret)
	case common[lower], strings.Contains("012345678901234567890", lower), strings.Contains("abcdefghijklmnopqrstuvwxyz", lower):
		return "is a common word"
	case len(different) < 4:
		return fmt.Sprintf("has %d different characters", len(different))
	}
	return ""
}

// The ends of a replacement. They are no ASCII, so that no pattern and no
// escaping touches them, and they mean nothing in JSON, XML, HTML or Markdown.
const (
	markStart = "‹redacted:"
	markEnd   = "›"
)

func mark(kind string) string { return markStart + kind + markEnd }

// isMark holds for one whole replacement.
func isMark(text []byte) bool {
	if len(text) > len(markStart)+mostKind+len(markEnd) {
		return false
	}
	kind, ok := strings.CutPrefix(string(text), markStart)
	kind, end := strings.CutSuffix(kind, markEnd)
	return ok && end && kindForm.MatchString(kind)
}

// String redacts a text.
func (r *Redactor) String(text string) string {
	in := []byte(text)
	var s scanner
	out := s.all(r, make([]byte, 0, len(text)+64), in)
	if string(out) == text {
		return text // what was there before can be collected
	}
	return string(out)
}

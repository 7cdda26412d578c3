package redact

import (
	"bytes"
	"encoding/base64"
)

// prefix is a kind of token that begins with letters of its own.
type prefix struct {
	kind        string
	texts       []string
	of          *class
	least, most int // characters after the text
}

// prefixes lists them.
func prefixes() []prefix {
	return []prefix{
		{"aws-access-key-id", []string{"AKIA", "ASIA", "ABIA", "ACCA"}, upperNum, 16, 16},
		{"github-token", []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_"}, alnum, 36, 255},
		{"github-token", []string{"github_pat_"}, classOf("a-z", "A-Z", "0-9", "_"), 22, 255},
		{"gitlab-token", []string{"glpat-", "glrt-", "gldt-", "glptt-", "glcbt-"}, base64URL, 20, 255},
		{"slack-token", []string{"xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xapp-"}, base64URL, 10, 255},
		{"slack-webhook", []string{"hooks.slack.com/services/"}, classOf("a-z", "A-Z", "0-9", "/"), 20, 100},
		{"google-api-key", []string{"AIza"}, base64URL, 35, 35},
		{"google-oauth-token", []string{"ya29."}, base64URL, 20, 1024},
		{"npm-token", []string{"npm_"}, alnum, 36, 36},
		{"pypi-token", []string{"pypi-AgE"}, base64URL, 50, 1024},
		{"docker-token", []string{"dckr_pat_", "dckr_oat_"}, base64URL, 20, 255},
		{"vault-token", []string{"hvs.", "hvb.", "hvr."}, base64URL, 24, 1024},
		{"age-key", []string{"AGE-SECRET-KEY-1"}, upperNum, 58, 58},
	}
}

func (p prefix) detector() detector {
	var lower []string
	for _, text := range p.texts {
		lower = append(lower, string(bytes.ToLower([]byte(text))))
	}
	return detector{lower, p.find}
}

func (p prefix) find(l *line, i int) (span, bool) {
	for _, text := range p.texts {
		if !bytes.HasPrefix(l.text[i:], []byte(text)) || !p.beginsAt(l.text, i) {
			continue
		}
		start := i + len(text)
		// A word that only begins like one is none: AKIA is followed by
		// sixteen characters, and not by seventeen.
		end := p.of.run(l.text[:min(len(l.text), start+p.most+1)], start)
		if n := end - start; n < p.least || n > p.most {
			return span{}, false
		}
		return span{i, i, end, p.kind}, true
	}
	return span{}, false
}

// beginsAt is begins, but for addresses: they have something before them.
func (p prefix) beginsAt(line []byte, i int) bool {
	return p.kind == "slack-webhook" || begins(line, i)
}

// findJWT finds three parts of base64, of which the first two are JSON. The
// last may have been cut off.
func findJWT(l *line, i int) (span, bool) {
	line := l.text
	if !bytes.HasPrefix(line[i:], []byte("eyJ")) || i > 0 && base64Any[line[i-1]] && !begins(line, i) {
		return span{}, false
	}
	end := base64URL.run(line, i)
	if end-i < 12 || !bytes.HasPrefix(line[end:], []byte(".eyJ")) {
		return span{}, false
	}
	end = base64URL.run(line, end+1)
	if end < len(line) && line[end] == '.' {
		end = base64URL.run(line, end+1)
	}
	return span{i, i, end, "jwt"}, true
}

// findDockerConfig finds {"auths": in base64: the value of a pull secret.
func findDockerConfig(l *line, i int) (span, bool) {
	if !bytes.HasPrefix(l.text[i:], []byte("eyJhdXRocyI6")) {
		return span{}, false
	}
	return span{i, i, l.blobEnd(i), "registry-auth"}, true
}

// findBearer finds a bearer token whatever stands before it.
func findBearer(l *line, i int) (span, bool) {
	line := l.text
	const word = "bearer "
	if !hasAt(line, i, word) || !begins(line, i) {
		return span{}, false
	}
	start := skipBlanks(line, i+len(word))
	end := opaque.run(line, start)
	if end-start < 16 || !random(line[start:end]) {
		return span{}, false
	}
	return span{i, start, end, "bearer-token"}, true
}

// findKubeadmTokens appends the bootstrap tokens of a line: six and sixteen
// lower-case letters and digits, with a dot between them.
func findKubeadmTokens(found []span, line []byte) []span {
	const id, secret = 6, 16
	for at := 0; ; at++ {
		dot := bytes.IndexByte(line[at:], '.')
		if dot < 0 {
			return found
		}
		at += dot
		start, end := at-id, at+1+secret
		if start < 0 || end > len(line) || !lowerNum.all(line[at+1:end]) || !lowerNum.all(line[start:at]) || !begins(line, start) {
			continue
		}
		if end < len(line) && base64URL[line[end]] || isEvent(line, start, line[at+1:end]) {
			continue
		}
		found = append(found, span{start, start, end, "kubeadm-token"})
	}
}

// isEvent tells the name of a Kubernetes event, an object's with the time of
// day in hexadecimal nanoseconds, from a token that is all hexadecimal and
// begins with the same digit, which one of a million does.
func isEvent(line []byte, start int, suffix []byte) bool {
	if suffix[0] != '1' || !hexDigits.all(suffix) {
		return false
	}
	before := bytes.ToLower(line[max(0, start-40):start])
	return !bytes.Contains(before, []byte("token"))
}

// findURLPassword finds scheme://user:password@host.
func findURLPassword(l *line, i int) (span, bool) {
	line := l.text
	if !hasAt(line, i, "://") || i == 0 || !alnum[line[i-1]] {
		return span{}, false
	}
	const most = 1024
	rest := line[i+3 : min(len(line), i+3+most)]
	if end := bytes.IndexAny(rest, "/?# \t\"'`<>\\"); end >= 0 {
		rest = rest[:end]
	}
	at := bytes.LastIndexByte(rest, '@')
	colon := bytes.IndexByte(rest[:max(at, 0)], ':')
	if at < 0 || colon < 0 {
		return span{}, false
	}
	password := rest[colon+1 : at]
	if placeholder(password) {
		return span{}, false
	}
	return span{i, i + 3 + colon + 1, i + 3 + at, "url-password"}, true
}

// basicAuth tells whether a text is base64 of user:password.
func basicAuth(text []byte) bool {
	if len(text) > mostOpaque {
		return false
	}
	decoded, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		decoded, err = base64.RawURLEncoding.DecodeString(string(text))
	}
	if err != nil || bytes.IndexByte(decoded, ':') < 0 {
		return false
	}
	for _, b := range decoded {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}

// mostOpaque bounds what is looked at closely.
const mostOpaque = 4096

// random tells a text that was drawn from one that was written: it has letters
// and digits, enough different ones, and is no list of words.
func random(text []byte) bool {
	letters, digits, different := 0, 0, 0
	var seen class
	for _, b := range text {
		switch {
		case b >= '0' && b <= '9':
			digits++
		case alnum[b]:
			letters++
		}
		if !seen[b] {
			seen[b] = true
			different++
		}
	}
	return letters >= 4 && digits >= 2 && different >= 8
}

package redact

import (
	"bytes"
	"strings"
	"sync"
)

// keyed is a name under which secrets stand, and what counts as one there.
type keyed struct {
	name string // the end of a key in lower case, without _ - and .
	kind string
	// secret tells a value from what stands there otherwise; nil takes any.
	secret func(value []byte) bool
}

// keys lists the names. Of two that fit, the first counts.
func keys() []keyed {
	return []keyed{
		{"clientkeydata", "client-key", nil},
		{"certificatekey", "certificate-key", isCertificateKey},
		{"secretaccesskey", "aws-secret-access-key", nil},
		{"sessiontoken", "aws-session-token", nil},
		{"amzsecuritytoken", "aws-session-token", nil},
		{"amzsignature", "aws-signature", nil},
		{"amzcredential", "aws-credential", nil},
		{"accountkey", "azure-key", random},
		{"sharedaccesskey", "azure-key", random},
		{"dockerconfigjson", "registry-auth", isBlob},
		{"dockercfg", "registry-auth", isBlob},
		{"registryauth", "registry-auth", isBlob},
		{"authorization", "authorization", isAuthorization},
		{"auth", "registry-auth", basicAuth},
		{"identitytoken", "registry-token", isCredential},
		{"registrytoken", "registry-token", isCredential},
		{"tokensecret", "bootstrap-token", isCredential},
		{"accesstoken", "access-token", isCredential},
		{"refreshtoken", "refresh-token", isCredential},
		{"idtoken", "id-token", isCredential},
		{"authtoken", "auth-token", isCredential},
		{"privatetoken", "private-token", isCredential},
		{"vaulttoken", "vault-token", isCredential},
		{"githubtoken", "github-token", isCredential},
		{"token", "token", isToken},
		{"clientsecret", "client-secret", isCredential},
		{"secretkey", "secret-key", isCredential},
		{"privatekey", "private-key", isToken},
		{"apikey", "api-key", isCredential},
		{"secret", "secret", isToken},
		{"passphrase", "passphrase", nil},
		{"password", "password", nil},
		{"passwd", "password", nil},
		{"cookie", "cookie", isCookie},
	}
}

var keyTable = sync.OnceValue(keys)

// keyTriggers are parts of those names, as they are written with and without
// dashes, one at least of each.
func keyTriggers() []string {
	return []string{
		"keyd", "key-d", "key_d", "catek", "cate-k", "cate_k", "cate k", "secret", "token", "signature", "credential",
		"countk", "count_k", "count-k", "accessk", "access_k", "access-k", "dockerc", "auth", "passp", "passw",
		"vatek", "vate_k", "vate-k", "apik", "api_k", "api-k", "cookie",
	}
}

// findKeyed looks at the key around i and at what follows it.
func findKeyed(l *line, i int) (span, bool) {
	start, end := keyAround(l.text, i)
	v, ok := l.valueAfter(end, l.text[start] == '-')
	if !ok {
		return span{}, false
	}
	k, ok := keyNamed(l.text[start:end])
	if !ok {
		return span{}, false
	}
	switch k.kind {
	case "authorization":
		v = l.afterScheme(v)
	case "cookie": // several, with blanks between them
		v.end = l.stringEnd(v.end)
	}
	text := l.text[v.start:v.end]
	if placeholder(text) || k.secret != nil && !k.secret(text) {
		return span{}, false
	}
	return span{start, v.start, v.end, k.kind}, true
}

// maxKey bounds keys, and with it what is looked at for each trigger.
const maxKey = 64

// keyAround finds the key that i is in.
func keyAround(text []byte, i int) (start, end int) {
	start, end = i, i
	for i-start < maxKey && !begins(text, start) {
		start--
	}
	for end < len(text) && end-i < maxKey && keyBytes[text[end]] {
		end++
	}
	if hasAt(text, i, "cate key") { // kubeadm says "certificate key:"
		end = i + len("cate key")
	}
	return start, end
}

// keyNamed finds a key by its end.
func keyNamed(key []byte) (keyed, bool) {
	var room [2 * maxKey]byte
	name := room[:0]
	for _, b := range key {
		switch {
		case b >= 'A' && b <= 'Z':
			name = append(name, b|0x20)
		case alnum[b]:
			name = append(name, b)
		}
	}
	for _, k := range keyTable() {
		if bytes.HasSuffix(name, []byte(k.name)) {
			return k, true
		}
	}
	return keyed{}, false
}

// value is where a value stands.
type value struct{ start, end int }

// valueAfter finds the value of the key that ends at i: behind a colon or an
// equals sign, in quotes or not, and behind a blank where the key is a flag.
func (l *line) valueAfter(i int, flag bool) (value, bool) {
	text := l.text
	i = skipQuote(text, i)
	at := skipBlanks(text, i)
	switch {
	case at < len(text) && (text[at] == '=' || text[at] == ':'):
		at++
		if at < len(text) && (text[at] == '>' || text[at] == '=') { // Ruby, Go
			at++
		}
	case !flag || at == i:
		return value{}, false
	}
	at = skipBlanks(text, at)
	for at < len(text) && text[at] == '[' { // headers are printed as lists
		at++
	}
	if at >= len(text) {
		return value{}, false
	}
	if open := skipQuote(text, at); open > at {
		return value{open, closing(text, open, text[open-1], open-1-at)}, true
	}
	return value{at, l.bareEnd(at)}, true
}

// skipQuote passes over one quote, which may be escaped.
func skipQuote(line []byte, i int) int {
	at := i
	for at < len(line) && line[at] == '\\' {
		at++
	}
	if at < len(line) && (line[at] == '"' || line[at] == '\'' || line[at] == '`') {
		return at + 1
	}
	return i
}

// closing is where the quote ends that was opened behind so many backslashes:
// one behind more of them is part of the text.
func closing(line []byte, i int, quote byte, escapes int) int {
	backslashes := 0
	for ; i < len(line); i++ {
		switch {
		case line[i] == '\\':
			backslashes++
			continue
		case line[i] == quote && backslashes <= escapes:
			return i - backslashes
		}
		backslashes = 0
	}
	return i
}

// bareEnd is where a value without quotes ends. Punctuation in it belongs to
// it, since passwords have it; at its end it belongs to the sentence.
func (l *line) bareEnd(start int) int {
	end := l.bare.once(start, func(i int) int {
		for i < len(l.text) && !endsBare(l.text, i) {
			i++
		}
		return i
	})
	for end > start && bytes.IndexByte([]byte(",;:)]}.!"), l.text[end-1]) >= 0 {
		end--
	}
	return end
}

// stringEnd is where the string ends that i is in, or the line.
func (l *line) stringEnd(i int) int {
	if quote := bytes.IndexByte(l.text[i:], '"'); quote >= 0 {
		return max(i, len(bytes.TrimRight(l.text[:i+quote], "\\")))
	}
	return max(i, len(bytes.TrimRight(l.text, " \t\r")))
}

// endsBare tells whether a value without quotes cannot go on at i.
func endsBare(text []byte, i int) bool {
	return text[i] <= ' ' || bytes.IndexByte([]byte("\"'`<>&"), text[i]) >= 0 || escapeAt(text, i)
}

// escapeAt tells whether a line or a quote ends here within a longer string.
func escapeAt(line []byte, i int) bool {
	return line[i] == '\\' && i+1 < len(line) && bytes.IndexByte([]byte("nrt\"'\\"), line[i+1]) >= 0
}

// afterScheme leaves the word out that says how a header authorizes.
func (l *line) afterScheme(v value) value {
	word := alnum.run(l.text, v.start)
	next := skipBlanks(l.text, word)
	if next == word {
		return v
	}
	end := v.end
	if end <= next { // without quotes the value ended at the blank
		end = l.bareEnd(next)
	}
	if end <= next {
		return v
	}
	return value{next, end}
}

// findSpacedPassword finds the password of a .netrc line, and the one that
// sshpass is given.
func findSpacedPassword(l *line, i int) (span, bool) {
	var at int
	switch {
	case hasAt(l.text, i, "sshpass") && begins(l.text, i):
		flag := bytes.Index(l.text[i:min(len(l.text), i+80)], []byte(" -p"))
		if flag < 0 {
			return span{}, false
		}
		at = skipBlanks(l.text, i+flag+len(" -p"))
	case hasAt(l.text, i, "password ") && begins(l.text, i) && bytes.Contains(l.near(i), []byte("login ")):
		at = skipBlanks(l.text, i+len("password "))
	default:
		return span{}, false
	}
	start := skipQuote(l.text, at)
	end := l.bareEnd(start)
	if placeholder(l.text[start:end]) {
		return span{}, false
	}
	return span{i, start, end, "password"}, true
}

// placeholder tells what stands where a value would.
func placeholder(value []byte) bool {
	if len(value) == 0 || isMark(value) {
		return true
	}
	switch strings.ToLower(string(value[:min(len(value), 16)])) {
	case "true", "false", "nil", "null", "none", "undefined", "redacted", "masked", "hidden", "yes", "no", "empty", "set", "unset", "required",
		"omitted", "unknown", "string", "password", "token", "secret", "[redacted]", "(redacted)":
		return true
	}
	first, last := value[0], value[len(value)-1]
	switch {
	case first == '<' && last == '>', first == '{' && last == '}', first == '%' && len(value) <= 3:
		return true
	case first == '$' && len(value) > 1: // a variable; "$6$" begins a hash
		return value[1] == '{' || value[1] == '(' || value[1] >= 'A' && value[1] <= 'Z' || value[1] == '_'
	case first == '&' || first == '*' && len(value) > 1 && alnum[value[1]]: // pointers in dumps of Go
		return true
	}
	return len(bytes.Trim(value, string(first))) == 0 // ****, xxxx
}

func isCertificateKey(value []byte) bool { return len(value) == 64 && hexDigits.all(value) }

func isBlob(value []byte) bool { return len(value) >= 16 && base64Any.all(value) }

// isCredential is for names that stand for nothing but secrets.
func isCredential(value []byte) bool { return len(value) >= 6 && !isPath(value) }

// isAuthorization is for headers, and leaves sentences alone.
func isAuthorization(value []byte) bool {
	return len(value) >= 8 && len(value) <= mostOpaque && opaque.all(value) && (random(value) || basicAuth(value))
}

// isToken is for names that stand for much else too.
func isToken(value []byte) bool {
	return len(value) >= 16 && len(value) <= mostOpaque && opaque.all(value) && random(value) && !isPath(value)
}

func isCookie(value []byte) bool { return bytes.IndexByte(value, '=') > 0 }

func isPath(value []byte) bool {
	return value[0] == '/' && bytes.Count(value, []byte("/")) > 1 || bytes.HasPrefix(value, []byte("./"))
}

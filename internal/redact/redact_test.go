package redact_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"strings"
	"sync"
	"testing"

	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/redact/redacttest"
)

// knowing returns a redactor that was told of a secret.
func knowing(t testing.TB, kind, value string) *redact.Redactor {
	t.Helper()
	r := redact.New()
	if err := r.Add(kind, value); err != nil {
		t.Fatal(err)
	}
	return r
}

// What programs print is found although nobody registered it.
func TestPatternsFindWhatLooksLikeASecret(t *testing.T) {
	canaries := redacttest.Canaries("patterns")
	kinds := map[string]bool{}
	r := redact.New()
	for _, c := range canaries {
		kinds[c.Kind] = true
		text := "before " + c.Said + "\nafter it\n"
		got := r.String(text)
		if shown := redacttest.Shown(got, c.Value); shown != "" {
			t.Errorf("%s: %q is left in %q of %q", c.Kind, shown, got, c.Said)
		}
		if !strings.Contains(got, "‹redacted:"+c.Kind+"›") {
			t.Errorf("%s: no such replacement in %q", c.Kind, got)
		}
		if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, "\nafter it\n") {
			t.Errorf("%s: what stands around it is lost: %q", c.Kind, got)
		}
	}
	if len(kinds) < 25 {
		t.Errorf("only %d kinds of secrets", len(kinds))
	}
}

// What was registered is found in every form.
func TestRegisteredSecretsInEveryForm(t *testing.T) {
	forms := redacttest.Forms()
	if len(forms) < 8 {
		t.Errorf("only %d forms", len(forms))
	}
	for _, c := range redacttest.Canaries("forms") {
		r := knowing(t, c.Kind, c.Value)
		for _, form := range forms {
			got := r.String("before " + form.Of(c.Value) + " after")
			if shown := redacttest.Shown(got, form.Core(c.Value)); shown != "" {
				t.Errorf("%s %s: %q is left in %q", c.Kind, form.Name, shown, got)
			}
			if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") {
				t.Errorf("%s %s: what stands around it is lost: %q", c.Kind, form.Name, got)
			}
		}
	}
}

// No pattern helps here: the value is words.
func TestRegisteredWordsInEveryForm(t *testing.T) {
	const value = "four red 'herrings' & <2> \"cod\" + salt/pepper"
	r := knowing(t, "pass-phrase", value)
	for _, form := range redacttest.Forms() {
		printed := form.Of(value)
		if got := redact.New().String(printed); got != printed {
			t.Fatalf("%s: a pattern finds it, which shows nothing: %q", form.Name, got)
		}
		if got := r.String(printed); redacttest.Shown(got, form.Core(value)) != "" {
			t.Errorf("%s: %q is left of %q", form.Name, got, printed)
		}
	}
}

// A log that was cut shows a part of a secret.
func TestPartsOfLongSecrets(t *testing.T) {
	const value = "correct horse battery staple, and some more words to make it long"
	r := knowing(t, "pass-phrase", value)
	for from := 0; from+16 <= len(value); from += 5 {
		for _, cut := range []string{value[from:], value[:from+16], value[from : from+16]} {
			if got := r.String("…|" + cut + "|…"); got != "…|‹redacted:pass-phrase›|…" {
				t.Errorf("of %q is left %q", cut, got)
			}
		}
	}
	if text := "a horse battery"; r.String(text) != text {
		t.Errorf("a few words of it are %q", r.String(text))
	}
}

func TestAddRefuses(t *testing.T) {
	tests := []struct{ name, kind, value, want string }{
		{"nothing", "token", "", "0 bytes"},
		{"too short", "token", "hunter2", "7 bytes"},
		{"blanks are no part of it", "token", "   hunter2\n\n", "7 bytes"},
		{"too long", "token", strings.Repeat("0123456789abcdefg", 5000), "85000 bytes"},
		{"common", "password", "Password", "common word"},
		{"common in Kubernetes", "user", "kube-system", "common word"},
		{"a row of digits", "password", "12345678", "common word"},
		{"the same again and again", "password", "abababababab", "2 different"},
		{"no kind", "", "a3f8Zk2pQ9", "kind"},
		{"a kind that is markup", "<b>", "a3f8Zk2pQ9", "kind"},
	}
	for _, test := range tests {
		err := redact.New().Add(test.kind, test.value)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", test.name, err, test.want)
		}
		if err != nil && len(test.value) > 3 && strings.Contains(err.Error(), strings.TrimSpace(test.value)) {
			t.Errorf("%s: the error shows the value: %v", test.name, err)
		}
	}
	for _, word := range []string{"true", "false", "admin", "root", "fake", "secret", "token", "kubernetes", "localhost"} {
		if redact.New().Add("password", word) == nil {
			t.Errorf("%q was taken for a secret", word)
		}
	}
}

// Evidence must stay: digests are what verdicts rest on.
func TestWhatIsNoSecretStays(t *testing.T) {
	r := redact.New()
	for name, text := range map[string]string{
		"digest":             "node a image etcd: has sha256:6fcba1700148c2df305e134747e3f3975f4557f8dfe695855dfa9d3084dd147a, the release has sha256:22",
		"sum":                "6fcba1700148c2df305e134747e3f3975f4557f8dfe695855dfa9d3084dd147a  /usr/bin/kubelet",
		"discovery hash":     "--discovery-token-ca-cert-hash sha256:6fcba1700148c2df305e134747e3f3975f4557f8dfe695855dfa9d3084dd147a",
		"image":              "registry.k8s.io/kube-apiserver:v1.34.4@sha256:6fcba1700148c2df305e134747e3f3975f4557f8dfe695855dfa9d3084dd147a",
		"commit":             "gitCommit: 6fcba1700148c2df305e134747e3f3975f4557f8",
		"uid":                "uid: 31ada4fd-adec-460c-809a-9e56ceb75269",
		"event":              "Event(v1.ObjectReference{Name: server.17f2c3d4e5a6b7c8, Namespace: default})",
		"version":            "v1.34.4-eks-1234567.20261125, kernel 6.1.0-28-amd64",
		"certificate":        "-----BEGIN CERTIFICATE-----\nMIIDBTCCAe2gAwIBAgIIHJwbQZyqRAAwDQYJKoZIhvcNAQELBQAwFTETMBEGA1UE\n-----END CERTIFICATE-----",
		"encoded":            "certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSURCVENDQWUyZ0F3SUJBZ0lJSEp3YlFaeXFSQUF3RFFZSktvWklodmNOQVFFTEJRQXdGVEVUTUJFR0ExVUUK",
		"public key":         "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl user@host",
		"talk of a key":      "the file has no -----BEGIN PRIVATE KEY----- line\nnext line with /var/lib/kubelet/pki/kubelet-client-current",
		"no password":        "password: <nil>, token: \"\", secret: nil, PASSWORD=$DB_PASSWORD, password=${X}, token=%s, secret: ****",
		"dump":               "Volumes:{Secret:&SecretVolumeSource{SecretName:webhook-cert,Items:[]}, Token:nil, ConfigMap:nil}",
		"names":              "secret: webhook-server-tls-certificate, token-controller, automountServiceAccountToken: false, --token-auth-file=/etc/tokens",
		"paths":              "privateKey: /etc/kubernetes/pki/apiserver-kubelet-client.key",
		"basic":              "[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should perform canary updates",
		"bearer of nothing":  "the bearer authentication-is-not-configured",
		"RBAC":               "authorization: denied because of a missing role binding, authorization mode: Node,RBAC",
		"address":            "https://127.0.0.1:6443/api?timeout=32s and https://user@host/path",
		"hardly a jwt":       "eyJhIjoxfQ is JSON in base64",
		"almost an AWS key":  "AKIA is not enough, nor is MAKIAABCDEFGHIJKLMNOP, nor AKIAABCDEFGHIJKLMNOPQRSTUV",
		"cookie of dig":      "; COOKIE: 6e2a4d5b8f0c1a3e010000006928f1d5",
		"words for a secret": "Secret \"default-token-abcde\" not found; the token of pod web-0 expired",
	} {
		if got := r.String(text); got != text {
			t.Errorf("%s: %q became %q", name, text, got)
		}
	}
}

// The rest of a line of JSON stays one.
func TestKeysThatAreCutOff(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`{"log":"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ","n":1}`, `{"log":"-----BEGIN PRIVATE KEY-----‹redacted:private-key›","n":1}`},
		{`{"log":"{\"a\":\"-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQ\"}"}`, `{"log":"{\"a\":\"-----BEGIN PRIVATE KEY-----‹redacted:private-key›\"}"}`},
		{`{"a":"Cookie: a=b; c=d","n":1}`, `{"a":"Cookie: ‹redacted:cookie›","n":1}`},
		{`{"a":"{\"h\":\"Cookie: a=b; c=d\"}","n":1}`, `{"a":"{\"h\":\"Cookie: ‹redacted:cookie›\"}","n":1}`},
		{"Cookie: a=b; c=d \r\nnext", "Cookie: ‹redacted:cookie› \r\nnext"},
		{"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nall went well\n", "-----BEGIN PRIVATE KEY-----\n‹redacted:private-key›\nall went well\n"},
	} {
		if got := redact.New().String(test.text); got != test.want {
			t.Errorf("%q became %q, want %q", test.text, got, test.want)
		}
	}
}

// A replacement is the same in every format that text ends up in.
func TestReplacementsNeedNoEscapes(t *testing.T) {
	text := redact.New().String("password=a3f8Zk2pQ9")
	if text != "password=‹redacted:password›" {
		t.Fatalf("got %q", text)
	}
	data, err := json.Marshal(text)
	if err != nil || string(data) != `"`+text+`"` {
		t.Errorf("in JSON it is %s", data)
	}
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(text)); err != nil || b.String() != text {
		t.Errorf("in XML it is %s", b.String())
	}
	if html := template.HTMLEscapeString(text); html != text {
		t.Errorf("in HTML it is %s", html)
	}
	if strings.ContainsAny("‹redacted:password›", "\\`*_{}[]()#+!|~<>&\"'") {
		t.Error("it means something in Markdown")
	}
}

// Who writes what looks like a replacement hides nothing by it.
func TestFalseReplacements(t *testing.T) {
	r := knowing(t, "api-key", "a3f8Zk2pQ9")
	for text, want := range map[string]string{
		"password=‹redacted:x›hunter2":       "password=‹redacted:password›",
		"‹redacted:a3f8Zk2pQ9›":              "‹redacted:‹redacted:api-key››",
		"‹redacted:x› password=hunter2":      "‹redacted:x› password=‹redacted:password›",
		"‹redacted:‹redacted:x› a3f8Zk2pQ9›": "‹redacted:‹redacted:x› ‹redacted:api-key››",
	} {
		if got := r.String(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	// A secret that is a part of replacements cannot make them grow.
	r = knowing(t, "silly", "redacted:password")
	if got := r.String("password=hunter2 redacted:password"); got != "password=‹redacted:password› ‹redacted:silly›" {
		t.Errorf("got %q", got)
	}
}

func TestTheKindIsTheOneThatWasRegistered(t *testing.T) {
	const token = "abcdef.0123456789abcdef"
	r := knowing(t, "join-token", token)
	if got := r.String("--token " + token); got != "--token ‹redacted:join-token›" {
		t.Errorf("got %q", got)
	}
	if err := r.Add("again", token); err != nil {
		t.Fatal(err)
	}
	if got := r.String(token); got != "‹redacted:join-token›" {
		t.Errorf("registered twice it is %q", got)
	}
}

// Redactors are shared by everything that writes.
func TestManyGoroutines(t *testing.T) {
	r := redact.New()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			secret := fmt.Sprintf("s3cret-%d-of-a-goroutine", i)
			if err := r.Add("goroutine", secret); err != nil {
				t.Error(err)
			}
			for range 50 {
				if got := r.String("x " + secret + " y"); got != "x ‹redacted:goroutine› y" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	all.Wait()
}

// Hundreds of secrets are found as one is.
func TestManySecrets(t *testing.T) {
	r := redact.New()
	var said []redacttest.Canary
	for i := range 20 {
		for _, c := range redacttest.Canaries(fmt.Sprint("many", i)) {
			if err := r.Add(c.Kind, c.Value); err != nil {
				t.Fatal(err)
			}
			said = append(said, c)
		}
	}
	hexed := redacttest.Forms()[8]
	for _, c := range said {
		if got := r.String(hexed.Of(c.Value)); strings.Count(got, "‹") != 1 || len(got) > 60 {
			t.Errorf("%s: %q", c.Kind, got)
		}
	}
}

// Package redacttest has made-up secrets of every kind, and every form in which
// one may be printed, for tests that look for them where none may be.
package redacttest

import (
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"strings"
)

// Canary is a made-up secret.
type Canary struct {
	Kind  string // that it is redacted as
	Value string // what must not be seen
	// Said is how programs print it. By this it is found although nobody
	// registered it.
	Said string
}

// Canaries returns a secret for each way of finding one: always the same ones
// for a seed, and none that shares a part with one of another seed.
func Canaries(seed string) []Canary {
	d := &drawer{seed: seed}
	var all []Canary
	all = append(all, d.keys()...)
	all = append(all, d.kubernetes()...)
	all = append(all, d.cloud()...)
	all = append(all, d.registries()...)
	return append(all, d.people()...)
}

// drawer draws texts.
type drawer struct {
	seed  string
	drawn int
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
	alnum  = lower + upper + digits
)

func (d *drawer) bytes(n int) []byte {
	var out []byte
	for len(out) < n {
		d.drawn++
		sum := sha512.Sum512(fmt.Appendf(nil, "%s %d", d.seed, d.drawn))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// of draws n characters of an alphabet; letters and digits are among them.
func (d *drawer) of(alphabet string, n int) string {
	out := d.bytes(n)
	for i, b := range out {
		out[i] = alphabet[int(b)%len(alphabet)]
	}
	for i, c := range "q7" {
		if i < n && strings.ContainsRune(alphabet, c) && n > 8 {
			out[2+3*i], out[3+3*i] = byte(c), byte(c)
		}
	}
	return string(out)
}

func (d *drawer) hex(n int) string { return fmt.Sprintf("%x", d.bytes(n)) }

// pem is a key of so many bytes between armor.
func (d *drawer) pem(label string, n int) string {
	text := base64.StdEncoding.EncodeToString(append([]byte{0x30, 0x82}, d.bytes(n)...))
	var b strings.Builder
	b.WriteString("-----BEGIN " + label + "-----\n")
	for len(text) > 64 {
		b.WriteString(text[:64] + "\n")
		text = text[64:]
	}
	return b.String() + text + "\n-----END " + label + "-----\n"
}

// jwt is a token as the API server signs them.
func (d *drawer) jwt() string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(`{"alg":"RS256","kid":"`+d.of(alnum, 43)+`"}`) + "." +
		part(`{"iss":"https://kubernetes.default.svc.cluster.local","sub":"system:serviceaccount:`+d.of(lower, 9)+`"}`) + "." +
		base64.RawURLEncoding.EncodeToString(d.bytes(256))
}

func (d *drawer) keys() []Canary {
	rsa, ec, pkcs8, ssh := d.pem("RSA PRIVATE KEY", 1190), d.pem("EC PRIVATE KEY", 119), d.pem("PRIVATE KEY", 1216), d.pem("OPENSSH PRIVATE KEY", 400)
	pgp, oneLine, client := d.pem("PGP PRIVATE KEY BLOCK", 500), d.pem("PRIVATE KEY", 1216), d.pem("RSA PRIVATE KEY", 1190)
	behind := d.pem("RSA PRIVATE KEY", 1190)
	encoded := base64.StdEncoding.EncodeToString([]byte(client))
	age := "AGE-SECRET-KEY-1" + d.of(upper+digits, 58)
	prefixed := "Nov 25 10:00:01 node kubelet[333]: " + strings.ReplaceAll(strings.TrimSpace(behind), "\n", "\nNov 25 10:00:01 node kubelet[333]: ")
	return []Canary{
		{"private-key", rsa, rsa},
		{"private-key", ec, "  tls.key: |\n    " + strings.ReplaceAll(ec, "\n", "\n    ")},
		{"private-key", pkcs8, pkcs8},
		{"private-key", oneLine, `{"tls.key":"` + strings.ReplaceAll(oneLine, "\n", `\n`) + `"}`},
		{"private-key", behind, prefixed},
		{"ssh-private-key", ssh, ssh},
		{"pgp-private-key", pgp, pgp},
		{"client-key", encoded, "    client-key-data: " + encoded},
		{"age-key", age, "# public key: age1x\n" + age},
	}
}

func (d *drawer) kubernetes() []Canary {
	token := func() string { return d.of(lower+digits, 6) + "." + d.of(lower+digits, 16) }
	bare, flag, secret := token(), token(), d.of(lower+digits, 16)
	announced, given := d.hex(32), d.hex(32)
	jwt, user, bearer, opaque, vault := d.jwt(), d.of(alnum, 32), d.of(alnum, 40), d.of(alnum, 32), "hvs."+d.of(alnum, 90)
	etcd := base64.StdEncoding.EncodeToString(d.bytes(32))
	return []Canary{
		{"kubeadm-token", bare, "[bootstrap-token] Using token: " + bare},
		{"kubeadm-token", flag, "kubeadm join 10.0.0.1:6443 --token " + flag + " --discovery-token-ca-cert-hash sha256:" + strings.Repeat("ab", 32)},
		{"bootstrap-token", secret, "stringData: {token-secret: " + secret + "}"},
		{"certificate-key", announced, "[upload-certs] Using certificate key:\n" + announced},
		{"certificate-key", given, "kubeadm join 10.0.0.1:6443 --control-plane --certificate-key " + given},
		{"jwt", jwt, "mounted " + jwt + " at /var/run/secrets"},
		{"token", user, "users: [{name: admin, user: {token: " + user + "}}]"},
		{"authorization", bearer, "GET /api/v1/nodes\n> Authorization: Bearer " + bearer},
		{"bearer-token", opaque, `curl -H "bearer ` + opaque + `"`},
		{"secret", etcd, "- name: key1\n  secret: " + etcd},
		{"vault-token", vault, "VAULT_ADDR=x " + vault},
	}
}

func (d *drawer) cloud() []Canary {
	id, key, session, quoted := "AKIA"+d.of(upper+digits, 16), d.of(alnum+"+/", 40), d.of(alnum+"+/", 300), d.of(alnum+"+/", 40)
	signature, security := d.hex(32), d.of(alnum, 200)
	google, oauth, azure := "AIza"+d.of(alnum+"-_", 35), "ya29."+d.of(alnum, 60), base64.StdEncoding.EncodeToString(d.bytes(64))
	return []Canary{
		{"aws-access-key-id", id, "aws_access_key_id = " + id},
		{"aws-secret-access-key", key, "AWS_SECRET_ACCESS_KEY=" + key},
		{"aws-secret-access-key", quoted, `"SecretAccessKey": "` + quoted + `",`},
		{"aws-session-token", session, "export AWS_SESSION_TOKEN='" + session + "'"},
		{"aws-signature", signature, "https://s3.amazonaws.com/b/k?X-Amz-Expires=900&X-Amz-Signature=" + signature + "&x=1"},
		{"aws-session-token", security, "x-amz-security-token: " + security},
		{"google-api-key", google, "maps?key=" + google},
		{"google-oauth-token", oauth, "got " + oauth + " for an hour"},
		{"azure-key", azure, "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=" + azure},
	}
}

func (d *drawer) registries() []Canary {
	auth := base64.StdEncoding.EncodeToString([]byte("robot:" + d.of(alnum, 30)))
	config := base64.StdEncoding.EncodeToString([]byte(`{"auths":{"registry.example":{"auth":"` + d.of(alnum, 40) + `"}}}`))
	identity, url, basic := d.of(alnum, 60), d.of(alnum, 20), base64.StdEncoding.EncodeToString([]byte("admin:"+d.of(alnum, 24)))
	hub, npm, github, fine := "dckr_pat_"+d.of(alnum, 27), "npm_"+d.of(alnum, 36), "ghp_"+d.of(alnum, 36), "github_pat_"+d.of(alnum, 82)
	gitlab, pypi := "glpat-"+d.of(alnum, 20), "pypi-AgE"+d.of(alnum, 150)
	return []Canary{
		{"registry-auth", auth, `{"auths":{"registry.example":{"auth":"` + auth + `"}}}`},
		{"registry-auth", config, "data: {.dockerconfigjson: " + config + "}"},
		{"registry-token", identity, `"identitytoken": "` + identity + `"`},
		{"url-password", url, "pulling from https://robot:" + url + "@registry.example/v2/"},
		{"authorization", basic, "authorization: Basic " + basic},
		{"docker-token", hub, "login with " + hub},
		{"npm-token", npm, "//registry/:_x=" + npm},
		{"github-token", github, "clone " + github},
		{"github-token", fine, "clone " + fine},
		{"gitlab-token", gitlab, "clone " + gitlab},
		{"pypi-token", pypi, "upload " + pypi},
	}
}

func (d *drawer) people() []Canary {
	const any = alnum + "!#%+*-_=:/?"
	assigned, colon, flag, quoted, netrc, ssh := d.of(any, 15), d.of(alnum, 12), d.of(any, 14), d.of(any, 18), d.of(alnum, 14), d.of(alnum, 13)
	phrase, client, api, access, refresh, private, cookie := d.of(alnum, 20), d.of(alnum, 30), d.of(alnum, 28), d.of(alnum, 50), d.of(alnum, 50), d.of(alnum, 24), d.of(alnum, 36)
	slack, hook := "xoxb-"+d.of(digits, 12)+"-"+d.of(alnum, 24), "hooks.slack.com/services/T"+d.of(upper, 8)+"/B"+d.of(upper, 8)+"/"+d.of(alnum, 24)
	return []Canary{
		{"password", assigned, "DB_PASSWORD=" + assigned + " started"},
		{"password", colon, "passwd: " + colon},
		{"password", flag, "mysql --password " + flag + " --host db"},
		{"password", quoted, `level=info msg="x" body="{\"password\":\"` + quoted + `\"}"`},
		{"password", netrc, "machine example login robot password " + netrc},
		{"password", ssh, "sshpass -p " + ssh + " ssh root@node"},
		{"passphrase", phrase, "passphrase=" + phrase},
		{"client-secret", client, `{"client_secret":"` + client + `"}`},
		{"api-key", api, "X-Api-Key: " + api},
		{"access-token", access, "https://example/?access_token=" + access + "&page=2"},
		{"refresh-token", refresh, `"refresh_token": "` + refresh + `"`},
		{"private-token", private, "PRIVATE-TOKEN: " + private},
		{"cookie", "session=" + cookie, "Set-Cookie: session=" + cookie + "; Path=/"},
		{"slack-token", slack, "posting with " + slack},
		{"slack-webhook", hook, "posting to https://" + hook},
	}
}

package sink

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// maxKubeconfig bounds what is read; the largest ones hold a few keys.
const maxKubeconfig = 4 << 20

// Kubeconfig registers all key material of a kubeconfig. It belongs to the
// step that reads the file: from then on the material can get anywhere.
func (s *Sink) Kubeconfig(path string) error {
	data, err := readBounded(path)
	if err == nil {
		err = s.kubeconfig(data, filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("registering the secrets of %s: %w", path, err)
	}
	return nil
}

// WriteKubeconfig registers a kubeconfig's key material and writes it, readable
// by its owner only. It is the one file that holds secrets: it is of no use
// without them.
func (s *Sink) WriteKubeconfig(path string, data []byte) error {
	if err := s.kubeconfig(data, filepath.Dir(path)); err != nil {
		return fmt.Errorf("registering the secrets of %s: %w", path, err)
	}
	if err := replace(path, data); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKubeconfig+1))
	if err == nil && len(data) > maxKubeconfig {
		err = fmt.Errorf("it has more than %d bytes, which no kubeconfig has", maxKubeconfig)
	}
	return data, err
}

// user is what a kubeconfig holds of one that is secret.
type user struct {
	ClientKeyData string                             `yaml:"client-key-data"`
	ClientKey     string                             `yaml:"client-key"` // a file
	Token         string                             `yaml:"token"`
	TokenFile     string                             `yaml:"tokenFile"`
	Password      string                             `yaml:"password"`
	AuthProvider  struct{ Config map[string]string } `yaml:"auth-provider"`
}

// kubeconfig registers what is in the text of one, and in the files that it
// names; dir is what their names are relative to.
func (s *Sink) kubeconfig(data []byte, dir string) error {
	var config struct {
		Users []struct{ User user }
	}
	var problems error
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&config); err != nil {
		return s.torn(data)
	}
	for _, u := range config.Users {
		problems = errors.Join(problems, s.user(u.User, dir))
	}
	return problems
}

// secretLine is a key whose value is secret, in block or in flow style.
var secretLine = regexp.MustCompile(`(client-key-data|token|password|access-token|id-token|refresh-token|client-secret)["']?\s*:\s*["']?([^\s"',{}]+)`)

// torn registers what is left of a kubeconfig that is no YAML: a full disk or a
// kill has left a part of it, in which secrets may be all the same.
func (s *Sink) torn(data []byte) error {
	var problems error
	for _, found := range secretLine.FindAllSubmatch(data, -1) {
		kind, value := string(found[1]), string(found[2])
		if kind != "client-key-data" {
			problems = errors.Join(problems, s.Add(kind, value))
			continue
		}
		problems = errors.Join(problems, s.clientKey(value))
	}
	return problems
}

// clientKey registers a key as it stands there and, as far as it is base64, as
// it is.
func (s *Sink) clientKey(text string) error {
	err := s.Add("client-key", text)
	const least = 16 // bytes; no key is shorter, but what is left of a torn one may be
	if key, _ := base64.StdEncoding.DecodeString(text); len(key) >= least {
		err = errors.Join(err, s.Add("client-key", string(key)))
	}
	return err
}

func (s *Sink) user(u user, dir string) error {
	var problems error
	add := func(kind, value string) {
		if value != "" {
			problems = errors.Join(problems, s.Add(kind, value))
		}
	}
	addFile := func(kind, name string) {
		if name == "" {
			return
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		data, err := readBounded(name)
		problems = errors.Join(problems, err)
		add(kind, string(data))
	}
	if u.ClientKeyData != "" {
		problems = errors.Join(problems, s.clientKey(u.ClientKeyData))
	}
	addFile("client-key", u.ClientKey)
	add("token", u.Token)
	addFile("token", u.TokenFile)
	add("password", u.Password)
	for name, value := range u.AuthProvider.Config {
		switch name {
		case "access-token", "id-token", "refresh-token", "client-secret":
			add(name, value)
		}
	}
	return problems
}

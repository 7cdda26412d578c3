package inventory

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/qualify-dev/qualify/internal/strict"
)

// file is the form in which an inventory is written.
type file struct {
	APIVersion string        `yaml:"apiVersion"`
	Kind       string        `yaml:"kind"`
	Endpoint   *fileEndpoint `yaml:"controlPlaneEndpoint,omitempty"`
	Hosts      []fileHost    `yaml:"hosts"`
}

type fileEndpoint struct {
	Address string `yaml:"address"`
	Port    int    `yaml:"port"`
}

type fileHost struct {
	Name           string `yaml:"name"`
	Role           string `yaml:"role"`
	fileAccess     `yaml:",inline"`
	PrivateAddress string            `yaml:"privateAddress,omitempty"`
	Labels         map[string]string `yaml:"labels,omitempty"`
	Bastion        *fileAccess       `yaml:"bastion,omitempty"`
	BMC            *fileBMC          `yaml:"bmc,omitempty"`
}

type fileBMC struct {
	Address      string `yaml:"address"`
	Port         int    `yaml:"port,omitempty"`
	User         string `yaml:"user"`
	PasswordFile string `yaml:"passwordFile"`
	Pin          string `yaml:"pin,omitempty"`
	Insecure     bool   `yaml:"insecure,omitempty"`
	System       string `yaml:"system,omitempty"`
	Recover      bool   `yaml:"recover,omitempty"`
}

type fileAccess struct {
	Address      string `yaml:"address"`
	Port         int    `yaml:"port,omitempty"`
	User         string `yaml:"user,omitempty"`
	Key          string `yaml:"key,omitempty"`
	Agent        bool   `yaml:"agent,omitempty"`
	PasswordFile string `yaml:"passwordFile,omitempty"`
	HostKey      string `yaml:"hostKey,omitempty"`
	KnownHosts   string `yaml:"knownHosts,omitempty"`
}

// Marshal writes an inventory as a file that Load reads.
func (inv *Inventory) Marshal() ([]byte, error) {
	out := file{APIVersion: strict.APIVersion, Kind: Kind}
	if inv.Endpoint != nil {
		endpoint := fileEndpoint(*inv.Endpoint)
		out.Endpoint = &endpoint
	}
	for _, h := range inv.Hosts {
		to := fileHost{Name: h.Name, Role: h.Role, fileAccess: fileAccess(h.Access), PrivateAddress: h.Private, Labels: h.Labels}
		if h.Bastion != nil {
			bastion := fileAccess(*h.Bastion)
			to.Bastion = &bastion
		}
		if h.BMC != nil {
			bmc := fileBMC(*h.BMC)
			to.BMC = &bmc
		}
		out.Hosts = append(out.Hosts, to)
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(out); err != nil {
		return nil, fmt.Errorf("writing the inventory: %w", err)
	}
	return b.Bytes(), nil
}

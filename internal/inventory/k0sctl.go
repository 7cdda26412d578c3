package inventory

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// k0sHost is a host in the file of k0sctl. What it has beside this is told.
type k0sHost struct {
	Role           string         `yaml:"role"`
	SSH            *k0sAccess     `yaml:"ssh"`
	OpenSSH        *k0sAccess     `yaml:"openSSH"`
	PrivateAddress string         `yaml:"privateAddress"`
	Hostname       string         `yaml:"hostname"`
	Rest           map[string]any `yaml:",inline"`
}

type k0sAccess struct {
	Address string         `yaml:"address"`
	User    string         `yaml:"user"`
	Port    int            `yaml:"port"`
	KeyPath string         `yaml:"keyPath"`
	HostKey string         `yaml:"hostKey"`
	Bastion *k0sAccess     `yaml:"bastion"`
	Rest    map[string]any `yaml:",inline"`
}

// placeForm is how the YAML reader says where something is.
var placeForm = regexp.MustCompile(`line \d+`)

func fromK0sctl(data []byte) (*Imported, error) {
	var doc struct {
		Kind string `yaml:"kind"`
		Spec struct {
			Hosts []k0sHost      `yaml:"hosts"`
			Rest  map[string]any `yaml:",inline"`
		} `yaml:"spec"`
	}
	err := yaml.Unmarshal(data, &doc)
	var mistyped *yaml.TypeError
	if errors.As(err, &mistyped) {
		// It quotes the values, and one may be a password.
		return nil, fmt.Errorf("not the YAML of k0sctl: %s is not of the kind that it has there", placeForm.FindString(err.Error()))
	}
	if err != nil {
		return nil, fmt.Errorf("not the YAML of k0sctl: %w", err)
	}
	if len(doc.Spec.Hosts) == 0 {
		return nil, errors.New("no hosts: a file of k0sctl has them in spec.hosts")
	}
	in := &Imported{}
	for key := range doc.Spec.Rest {
		in.left("spec.%s", key)
	}
	for i, from := range doc.Spec.Hosts {
		in.k0sHost(i, from)
	}
	return in, nil
}

func (in *Imported) k0sHost(i int, from k0sHost) {
	path := fmt.Sprintf("spec.hosts[%d]", i)
	for key := range from.Rest {
		in.left("%s.%s", path, key)
	}
	access := from.SSH
	if access == nil {
		access = from.OpenSSH
	}
	if access == nil {
		in.left("%s: the host, which is not reached by SSH", path)
		return
	}
	h := Host{Name: hostName(from.Hostname), Private: from.PrivateAddress, Access: in.k0sAccess(path+".ssh", *access)}
	if h.Name == "" {
		h.Name = fmt.Sprintf("host-%d", i+1)
		in.left("%s has no hostname; it is called %s", path, h.Name)
	}
	switch from.Role {
	case "worker":
		h.Role = Worker
	case "controller":
		h.Role = ControlPlane
	default:
		h.Role = ControlPlane
		in.left("%s.role %q: a control plane here takes no workloads where there are workers", path, from.Role)
	}
	if access.Bastion != nil {
		bastion := in.k0sAccess(path+".ssh.bastion", *access.Bastion)
		if access.Bastion.Bastion != nil {
			in.left("%s.ssh.bastion.bastion", path)
		}
		h.Bastion = &bastion
	}
	in.Inventory.Hosts = append(in.Inventory.Hosts, h)
}

func (in *Imported) k0sAccess(path string, from k0sAccess) Access {
	for _, key := range slices.Sorted(maps.Keys(from.Rest)) {
		in.left("%s.%s", path, key)
	}
	return Access{Address: from.Address, Port: from.Port, User: from.User, Key: from.KeyPath, HostKey: from.HostKey}
}

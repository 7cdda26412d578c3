package inventory

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// iniHost is a host line of an INI inventory, with all that later lines add.
type iniHost struct {
	name string
	vars map[string]string
}

// ini is an Ansible inventory: groups of hosts, and of groups.
type ini struct {
	hosts    []*iniHost
	members  map[string][]string // hosts of a group
	children map[string][]string
}

func fromKubespray(data []byte) (*Imported, error) {
	in := &Imported{}
	doc, err := in.parseINI(data)
	if err != nil {
		return nil, err
	}
	controlPlanes, workers := doc.all("kube_control_plane", nil), doc.all("kube_node", nil)
	if len(controlPlanes) == 0 { // as it was called before
		controlPlanes = doc.all("kube-master", nil)
		workers = append(workers, doc.all("kube-node", nil)...)
	}
	if len(controlPlanes) == 0 {
		return nil, errors.New("no hosts in the group kube_control_plane")
	}
	var bastion *Access
	if names := doc.all("bastion", nil); len(names) > 0 {
		access := in.iniAccess(doc.host(names[0]))
		bastion = &access
	}
	for _, etcd := range doc.all("etcd", nil) {
		if !slices.Contains(controlPlanes, etcd) {
			in.left("host %s: an etcd of its own; etcd runs on control planes here", etcd)
		}
	}
	for _, from := range doc.hosts {
		switch {
		case slices.Contains(controlPlanes, from.name):
			if slices.Contains(workers, from.name) {
				in.left("host %s: a worker too; a control plane here takes no workloads where there are workers", from.name)
			}
			in.iniHost(from, ControlPlane, bastion)
		case slices.Contains(workers, from.name):
			in.iniHost(from, Worker, bastion)
		case !slices.Contains(doc.all("bastion", nil), from.name):
			in.left("host %s: in no group that makes it a node", from.name)
		}
	}
	return in, nil
}

func (in *Imported) iniHost(from *iniHost, role string, bastion *Access) {
	h := Host{Name: hostName(from.name), Role: role, Private: from.vars["ip"], Access: in.iniAccess(from), Bastion: bastion}
	if h.Name == "" {
		in.left("host %q: its name is none of a host", from.name)
		return
	}
	if h.Name != from.name {
		in.left("host %s is called %s", from.name, h.Name)
	}
	in.Inventory.Hosts = append(in.Inventory.Hosts, h)
}

// iniAccess reads the variables that say how a host is reached. A password in
// the file is not carried over, and not told either.
func (in *Imported) iniAccess(from *iniHost) Access {
	a := Access{Address: from.name}
	for _, key := range slices.Sorted(maps.Keys(from.vars)) {
		value := from.vars[key]
		switch strings.Replace(key, "ansible_ssh_", "ansible_", 1) {
		case "ansible_host":
			a.Address = value
		case "ansible_port":
			port, err := strconv.Atoi(value)
			if err != nil {
				in.left("host %s: %s=%s is no port", from.name, key, value)
			}
			a.Port = port
		case "ansible_user":
			a.User = value
		case "ansible_private_key_file":
			a.Key = value
		case "ip":
		default:
			in.left("host %s: the variable %s", from.name, key)
		}
	}
	return a
}

// parseINI reads sections, "name key=value …" lines, and nothing cleverer:
// patterns like node[1:3] are told.
func (in *Imported) parseINI(data []byte) (*ini, error) {
	doc := &ini{members: map[string][]string{}, children: map[string][]string{}}
	group, kind := "ungrouped", ""
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxForeign)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if at := strings.Index(line, " #"); at >= 0 {
			line = strings.TrimSpace(line[:at])
		}
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			name, ok := strings.CutSuffix(line[1:], "]")
			if !ok {
				return nil, fmt.Errorf("line %d: a section without its ]", number)
			}
			group, kind, _ = strings.Cut(name, ":")
		case kind == "vars":
			in.left("line %d: a variable of the group %s", number, group)
		case kind == "children":
			doc.children[group] = append(doc.children[group], line)
		case kind != "":
			return nil, fmt.Errorf("line %d: in a section of unknown kind %q", number, kind)
		default:
			in.hostLine(doc, group, line, number)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("not the INI of kubespray: %w", err)
	}
	return doc, nil
}

func (in *Imported) hostLine(doc *ini, group, line string, number int) {
	words := strings.Fields(line)
	if strings.ContainsAny(words[0], "[]=") {
		in.left("line %d: not a host: its name is a pattern or a variable", number)
		return
	}
	h := doc.host(words[0])
	if !slices.Contains(doc.members[group], h.name) {
		doc.members[group] = append(doc.members[group], h.name)
	}
	for _, word := range words[1:] {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			in.left("line %d: a word that is no key=value", number)
			continue
		}
		h.vars[key] = strings.Trim(value, `"'`)
	}
}

// host finds a host, or makes it.
func (doc *ini) host(name string) *iniHost {
	for _, h := range doc.hosts {
		if h.name == name {
			return h
		}
	}
	h := &iniHost{name: name, vars: map[string]string{}}
	doc.hosts = append(doc.hosts, h)
	return h
}

// all are the hosts of a group and of the groups in it; a group that is in
// itself has nothing more for that.
func (doc *ini) all(group string, above []string) []string {
	if slices.Contains(above, group) {
		return nil
	}
	names := slices.Clone(doc.members[group])
	for _, child := range doc.children[group] {
		for _, name := range doc.all(child, append(above, group)) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

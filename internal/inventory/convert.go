package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Imported is an inventory made of somebody else's file. What the file said
// and an inventory cannot is in Left, one line each: nothing is lost silently.
type Imported struct {
	Inventory Inventory
	Left      []string
}

// Sources are the kinds of files that Import reads.
func Sources() []string { return slices.Sorted(maps.Keys(sources)) }

var sources = map[string]func([]byte) (*Imported, error){
	"eks-anywhere": fromHardware, "k0sctl": fromK0sctl, "kubespray": fromKubespray,
}

// maxForeign bounds a file of others, in bytes.
const maxForeign = 1 << 20

// Import reads a file of another tool: "k0sctl" (its YAML), "kubespray" (an
// INI inventory) or "eks-anywhere" (the CSV of its hardware). What comes out
// is held to the same rules as a file that was written by hand.
func Import(source, name string, data []byte) (*Imported, error) {
	read := sources[source]
	if read == nil {
		return nil, fmt.Errorf("unknown kind of inventory %q: known are %s", source, strings.Join(Sources(), ", "))
	}
	if len(data) > maxForeign {
		return nil, fmt.Errorf("%s has %d bytes, more than %d: is it an inventory?", name, len(data), maxForeign)
	}
	in, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	in.fill()
	text, err := in.Inventory.Marshal()
	if err != nil {
		return nil, err
	}
	loaded, err := Load("the inventory made of "+name, text)
	if err != nil {
		return nil, fmt.Errorf("%s gives no inventory of ours:\n%w", name, err)
	}
	in.Inventory = *loaded
	return in, nil
}

// left notes what is not carried over.
func (in *Imported) left(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if !slices.Contains(in.Left, line) {
		in.Left = append(in.Left, line)
	}
}

// fill gives each host what these tools take for granted, and says so.
func (in *Imported) fill() {
	for i := range in.Inventory.Hosts {
		h := &in.Inventory.Hosts[i]
		for what, a := range map[string]*Access{"host " + h.Name: &h.Access, "the bastion of host " + h.Name: h.Bastion} {
			if a == nil {
				continue
			}
			a.Port = cmp.Or(a.Port, 22)
			if a.User == "" {
				a.User = "root"
				in.left("%s: the file names no user; root is put in", what)
			}
			if a.Key == "" {
				a.Agent = true
				in.left("%s: the file names no key; the SSH agent is put in", what)
			}
			if a.HostKey == "" {
				a.KnownHosts = "~/.ssh/known_hosts"
			}
		}
		if h.Private == h.Access.Address {
			h.Private = ""
		}
	}
	slices.Sort(in.Left)
}

// hostName makes a host name of a text, "" where it cannot be one.
func hostName(text string) string {
	text = strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(text))
	if !forms["name"].like.MatchString(text) {
		return ""
	}
	return text
}

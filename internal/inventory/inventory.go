// Package inventory reads the files that say which machines there are and how
// each is reached by SSH. It is pure: it opens no key and asks no host.
//
// No secret has a place in an inventory. It names files and an agent; what is
// in them is read where a connection is made.
package inventory

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/qualify-dev/qualify/internal/strict"
)

// Kind is what an inventory file says it is.
const Kind = "Inventory"

// The roles of a host.
const (
	ControlPlane = "control-plane"
	Worker       = "worker"
)

// Inventory is a list of hosts, in the order of the file.
type Inventory struct {
	Hosts []Host
	// Endpoint leads to the API servers of all control planes: a virtual address
	// or a load balancer that is somebody's else. nil: one control plane is used.
	Endpoint *Endpoint
}

// Endpoint is where API servers are reached, by the machines and by us.
type Endpoint struct {
	Address string // name or IP address
	Port    int
}

// Host is one machine.
type Host struct {
	Name string // becomes the name of its Node object: a DNS label
	Role string // ControlPlane or Worker
	// Private is the address that the cluster uses, where it is another than
	// the one that SSH uses; "" stands for that.
	Private string
	Labels  map[string]string // of its Node object
	Access  Access
	Bastion *Access // the host through which it is reached; nil: directly
	BMC     *BMC    // what switches its power; nil: nobody but people
}

// Access is how a machine is reached by SSH.
type Access struct {
	Address string // name or IP address
	Port    int
	User    string
	// One of these three proves who we are. Paths are as in the file: relative
	// ones are relative to it, and "~/" is the home of who runs the program.
	Key          string
	Agent        bool
	PasswordFile string
	// One of these two proves who the host is.
	HostKey    string // pinned, as in authorized_keys: "ssh-ed25519 AAAA…"
	KnownHosts string
}

// PrivateAddress is the address that the cluster uses.
func (h Host) PrivateAddress() string { return cmp.Or(h.Private, h.Access.Address) }

// The forms of texts, the same as in the schema.
const (
	nameText    = `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`
	addressText = `^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$`
	userText    = `^[A-Za-z_][A-Za-z0-9_.-]{0,31}$`
	pathText    = `^[^\x00-\x1f\x7f-\x9f]{1,1000}$`
	pinText     = `^[0-9a-f]{64}$`
	systemText  = `^[A-Za-z0-9._-]{1,100}$`
	hostKeyText = `^(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]{16,1000}={0,2}$`
	labelKey    = `^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`
	labelValue  = `^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$`
)

// form is what a text must look like, and what to do where it does not.
type form struct {
	like   *regexp.Regexp
	what   string
	remedy string
}

var forms = map[string]form{
	"name":    {regexp.MustCompile(nameText), "host name", "use 1 to 63 of a-z 0-9 - and begin and end with a letter or digit"},
	"address": {regexp.MustCompile(addressText), "address", "write a name or an IP address, without a port or a user"},
	"user":    {regexp.MustCompile(userText), "user", "write the name of the login"},
	"path":    {regexp.MustCompile(pathText), "path", "write the path of a file"},
	"hostKey": {regexp.MustCompile(hostKeyText), "host key", "copy it from `ssh-keyscan HOST`, without the host: `ssh-ed25519 AAAA…`"},
	"pin":     {regexp.MustCompile(pinText), "pin", "write the SHA-256 of its certificate as 64 of 0-9 a-f: `openssl x509 -noout -fingerprint -sha256`, without the colons"},
	"system":  {regexp.MustCompile(systemText), "system", "write the Id that its service gives the machine, e.g. 1 or System.Embedded.1"},
	"key":     {regexp.MustCompile(labelKey), "label", "see the syntax of Kubernetes labels"},
	"value":   {regexp.MustCompile(labelValue), "label value", "see the syntax of Kubernetes labels"},
}

// Load reads an inventory. The name is for messages only. The error is
// strict.Problems: everything that is wrong, at once.
func Load(name string, data []byte) (*Inventory, error) {
	r, root := strict.Open(name, Kind, data)
	if root == nil {
		return nil, r.Err()
	}
	l := &loader{Reader: r}
	inv := l.inventory(root)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return inv, nil
}

type loader struct{ *strict.Reader }

// accessKeys are what says how a machine is reached; a host, a bastion and the
// defaults for all hosts have them.
var accessKeys = []string{"port", "user", "key", "agent", "passwordFile", "hostKey", "knownHosts"}

func (l *loader) inventory(root *yaml.Node) *Inventory {
	f := l.Fields(root, "the file", []string{"apiVersion", "kind", "ssh", "controlPlaneEndpoint", "hosts"}, []string{"apiVersion", "kind", "hosts"})
	usual, bastion := Access{Port: 22}, (*Access)(nil)
	if n := f["ssh"]; n != nil {
		fields := l.Fields(n, "ssh", slices.DeleteFunc(append([]string{"bastion"}, accessKeys...), isHostKey), nil)
		usual = l.access(fields, "ssh", usual)
		bastion = l.bastion(fields, "ssh", usual, nil)
	}
	inv := &Inventory{Endpoint: l.endpoint(f["controlPlaneEndpoint"])}
	if f["hosts"] == nil {
		return inv
	}
	seen := map[string]string{}
	items := l.List(f["hosts"], "hosts", 1)
	for i, n := range items {
		path := fmt.Sprintf("hosts[%d]", i)
		h := l.host(n, path, usual, bastion)
		if h.Name == "" {
			continue
		}
		l.unique(n, path, h, seen)
		inv.Hosts = append(inv.Hosts, h)
	}
	controls := slices.ContainsFunc(inv.Hosts, func(h Host) bool { return h.Role == ControlPlane })
	if !controls && len(items) > 0 && len(inv.Hosts) == len(items) {
		l.Problem(f["hosts"], "no host is a control plane", "give one of them `role: control-plane`")
	}
	return inv
}

// apiPort is where API servers listen.
const apiPort = 6443

// endpoint reads where the API servers are reached.
func (l *loader) endpoint(n *yaml.Node) *Endpoint {
	if n == nil {
		return nil
	}
	const path = "controlPlaneEndpoint"
	f := l.Fields(n, path, []string{"address", "port"}, []string{"address"})
	if f == nil {
		return nil
	}
	e := &Endpoint{Address: l.formed(f["address"], path+".address", "address"), Port: apiPort}
	if f["port"] != nil {
		e.Port = l.Whole(f["port"], path+".port", 1, 65535)
	}
	return e
}

// isHostKey keeps one host's key from being the key of all.
func isHostKey(key string) bool { return key == "hostKey" }

// unique refuses two hosts that would be one machine.
func (l *loader) unique(n *yaml.Node, path string, h Host, seen map[string]string) {
	place := fmt.Sprintf("%s:%d", strings.ToLower(h.Access.Address), h.Access.Port)
	if h.Bastion != nil {
		place += " by way of " + h.Bastion.Address // the same address may be another machine there
	}
	for what, value := range map[string]string{"name": h.Name, "address": place, "private address": h.Private} {
		if value == "" {
			continue
		}
		if first := seen[what+" "+value]; first != "" {
			l.Problem(n, fmt.Sprintf("%s has the %s of %s: %s", path, what, first, value), "give each host its own")
			continue
		}
		seen[what+" "+value] = path
	}
}

func (l *loader) host(n *yaml.Node, path string, usual Access, bastion *Access) Host {
	known := append([]string{"name", "role", "address", "privateAddress", "labels", "bastion"}, accessKeys...)
	f := l.Fields(n, path, append(known, "bmc"), []string{"name", "address", "role"})
	if f == nil {
		return Host{}
	}
	h := Host{
		Name: l.formed(f["name"], path+".name", "name"), Private: l.formed(f["privateAddress"], path+".privateAddress", "address"),
		Access: l.access(f, path, usual), Bastion: l.bastion(f, path, usual, bastion),
	}
	h.Access.Address = l.formed(f["address"], path+".address", "address")
	if _, err := netip.ParseAddr(h.Private); h.Private != "" && err != nil {
		l.Problem(f["privateAddress"], path+".privateAddress is no IP address: "+strict.Quoted(h.Private), "nodes are given addresses, not names")
	}
	if role := f["role"]; role != nil {
		text, ok := l.Text(role, path+".role")
		if h.Role = text; ok && text != ControlPlane && text != Worker {
			l.Problem(role, path+".role is "+strict.Quoted(text), "write control-plane or worker")
		}
	}
	if labels := f["labels"]; labels != nil {
		h.Labels = l.labels(labels, path+".labels")
	}
	if bmc := f["bmc"]; bmc != nil {
		h.BMC = l.bmc(bmc, path+".bmc")
	}
	l.proofs(n, path, h.Access)
	return h
}

// labels reads what a Node object is to carry.
func (l *loader) labels(n *yaml.Node, path string) map[string]string {
	labels := map[string]string{}
	for key, value := range l.Fields(n, path, nil, nil) {
		if !forms["key"].like.MatchString(key) {
			l.Problem(n, path+" has the key "+strict.Quoted(key)+", which is no label", forms["key"].remedy)
			continue
		}
		labels[key] = l.formed(value, path+"."+key, "value")
	}
	return labels
}

// proofs wants one way to show who we are, and one to see who answers.
func (l *loader) proofs(n *yaml.Node, path string, a Access) {
	if a.User == "" {
		l.Problem(n, path+" has no user", "add `user:` to it or to ssh")
	}
	if a.Key == "" && !a.Agent && a.PasswordFile == "" {
		l.Problem(n, path+" has no key", "add `key:`, `agent: true` or `passwordFile:` to it or to ssh")
	}
	if a.HostKey == "" && a.KnownHosts == "" {
		l.Problem(n, path+" cannot be told from another machine", "add `hostKey:` to it, or `knownHosts: ~/.ssh/known_hosts` to ssh")
	}
}

// access reads how a machine is reached. What is not said is as usual; who
// says one proof of who we are takes back the usual one.
func (l *loader) access(f map[string]*yaml.Node, path string, usual Access) Access {
	a := usual
	if n := f["port"]; n != nil {
		a.Port = l.Whole(n, path+".port", 1, 65535)
	}
	if n := f["user"]; n != nil {
		a.User = l.formed(n, path+".user", "user")
	}
	var said []string
	for _, key := range []string{"key", "agent", "passwordFile"} {
		if f[key] != nil {
			said = append(said, key)
		}
	}
	if len(said) > 0 {
		a.Key, a.Agent, a.PasswordFile = "", false, ""
	}
	if len(said) > 1 {
		l.Problem(f[said[1]], path+" has both "+said[0]+" and "+said[1], "keep one of the two")
	}
	a.Key = cmp.Or(l.formed(f["key"], path+".key", "path"), a.Key)
	a.PasswordFile = cmp.Or(l.formed(f["passwordFile"], path+".passwordFile", "path"), a.PasswordFile)
	if n := f["agent"]; n != nil {
		a.Agent = true
		if n.Tag != "!!bool" || n.Value != "true" {
			l.Problem(n, path+".agent is not true", "write `agent: true`, or leave it out")
		}
	}
	a.HostKey = l.formed(f["hostKey"], path+".hostKey", "hostKey")
	a.KnownHosts = cmp.Or(l.formed(f["knownHosts"], path+".knownHosts", "path"), a.KnownHosts)
	return a
}

// bastion reads the machine through which a host is reached.
func (l *loader) bastion(f map[string]*yaml.Node, path string, usual Access, inherited *Access) *Access {
	n := f["bastion"]
	if n == nil {
		return inherited
	}
	path += ".bastion"
	fields := l.Fields(n, path, append([]string{"address"}, accessKeys...), []string{"address"})
	if fields == nil {
		return nil
	}
	usual.Port = 22 // the hosts' port says nothing about the bastion's
	a := l.access(fields, path, usual)
	a.Address = l.formed(fields["address"], path+".address", "address")
	l.proofs(n, path, a)
	return &a
}

// formed reads a text of a form; "" where there is none.
func (l *loader) formed(n *yaml.Node, path, name string) string {
	if n == nil {
		return ""
	}
	text, ok := l.Text(n, path)
	f := forms[name]
	if ok && !f.like.MatchString(text) {
		l.Problem(n, path+" is "+strict.Quoted(text)+", which is no "+f.what, f.remedy)
		return ""
	}
	return text
}

package inventory

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/qualify-dev/qualify/internal/strict"
	"github.com/qualify-dev/qualify/internal/strict/stricttest"
)

const pin = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0000000000000000000000000000000000000000000"

// sum is the SHA-256 of nothing.
const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// small has each key at least once.
const small = `apiVersion: qualify/v1
kind: Inventory
ssh:
  user: admin
  port: 2222
  key: ~/.ssh/id_ed25519
  knownHosts: known_hosts
  bastion: {address: jump.example, hostKey: ` + pin + `}
hosts:
  - name: cp-1
    role: control-plane
    address: 192.0.2.1
    privateAddress: 10.0.0.1
    labels: {rack: a1, "example.com/disk": ""}
    bmc: {address: 192.0.2.101, port: 8443, user: root, passwordFile: bmc, pin: ` + sum + `, system: System.Embedded.1, recover: true}
  - name: w-1
    role: worker
    address: w-1.example
    port: 22
    user: root
    agent: true
    hostKey: ` + pin + `
    bastion: {address: other.example, port: 2022, user: jump, passwordFile: secret, knownHosts: ~/known}
    bmc: {address: bmc.example, user: admin, passwordFile: ~/bmc, insecure: true}
`

func TestLoad(t *testing.T) {
	got, err := Load("i.yaml", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	jump := Access{Address: "jump.example", Port: 22, User: "admin", Key: "~/.ssh/id_ed25519", KnownHosts: "known_hosts", HostKey: pin}
	want := &Inventory{Hosts: []Host{
		{
			Name: "cp-1", Role: ControlPlane, Private: "10.0.0.1", Labels: map[string]string{"rack": "a1", "example.com/disk": ""}, Bastion: &jump,
			BMC:    &BMC{Address: "192.0.2.101", Port: 8443, User: "root", PasswordFile: "bmc", Pin: sum, System: "System.Embedded.1", Recover: true},
			Access: Access{Address: "192.0.2.1", Port: 2222, User: "admin", Key: "~/.ssh/id_ed25519", KnownHosts: "known_hosts"},
		},
		{
			Name: "w-1", Role: Worker, Access: Access{Address: "w-1.example", Port: 22, User: "root", Agent: true, KnownHosts: "known_hosts", HostKey: pin},
			Bastion: &Access{Address: "other.example", Port: 2022, User: "jump", PasswordFile: "secret", KnownHosts: "~/known"},
			BMC:     &BMC{Address: "bmc.example", Port: 443, User: "admin", PasswordFile: "~/bmc", Insecure: true},
		},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("loaded\n%+v\nwant\n%+v", got, want)
	}
	if a, b := got.Hosts[0].PrivateAddress(), got.Hosts[1].PrivateAddress(); a != "10.0.0.1" || b != "w-1.example" {
		t.Errorf("private addresses %s, %s", a, b)
	}
	text, err := got.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Load("i.yaml", text); err != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("written and read again: %+v, %v\n%s", again, err, text)
	}
}

func vary(t testing.TB, old, new string) string {
	t.Helper()
	if !strings.Contains(small, old) {
		t.Fatalf("%q is not in the sample", old)
	}
	return strings.Replace(small, old, new, 1)
}

func TestRefusedFiles(t *testing.T) {
	const known = "known keys: name, role, address, privateAddress, labels, bastion, port, user, key, agent, passwordFile, hostKey, knownHosts, bmc"
	for _, tt := range []struct {
		old, new, want string
		alone          bool // the schema cannot say it
	}{
		{"kind: Inventory", "kind: Matrix", "2:7: kind is \"Matrix\", not Inventory; start with `apiVersion: qualify/v1` and `kind: Inventory`", false},
		{"    user: root", "    password: hunter2", "20:5: hosts[1] has the unknown key password; " + known, false},
		{"name: cp-1", "name: CP_1", `10:11: hosts[0].name is "CP_1", which is no host name; use 1 to 63 of a-z 0-9 - and begin and end with a letter or digit`, false},
		{"role: worker", "role: etcd", `17:11: hosts[1].role is "etcd"; write control-plane or worker`, false},
		{"    role: worker\n", "", "16:5: hosts[1] has no role; add `role:`", false},
		{"role: control-plane", "role: worker", "10:3: no host is a control plane; give one of them `role: control-plane`", true},
		{"192.0.2.1\n", "root@192.0.2.1\n", `12:14: hosts[0].address is "root@192.0.2.1", which is no address; write a name or an IP address, without a port or a user`, false},
		{"10.0.0.1", "node.example", `13:21: hosts[0].privateAddress is no IP address: "node.example"; nodes are given addresses, not names`, true},
		{"port: 2222", "port: 70000", "5:9: ssh.port is the number 70000, not a number from 1 to 65535; write e.g. `port: 2`", false},
		{"rack: a1", `"no label": a1`, `14:13: hosts[0].labels has the key "no label", which is no label; see the syntax of Kubernetes labels`, false},
		{"rack: a1", `rack: -`, `14:20: hosts[0].labels.rack is "-", which is no label value; see the syntax of Kubernetes labels`, false},
		{"agent: true", "agent: false", "21:12: hosts[1].agent is not true; write `agent: true`, or leave it out", false},
		{"agent: true", "agent: true\n    key: k", "21:12: hosts[1] has both key and agent; keep one of the two", true},
		{"  knownHosts: known_hosts\n", "", "9:5: hosts[0] cannot be told from another machine; add `hostKey:` to it, or `knownHosts: ~/.ssh/known_hosts` to ssh", true},
		{"user: admin", "user: a b", `4:9: ssh.user is "a b", which is no user; write the name of the login`, false},
		{"hostKey: " + pin + "\n", "hostKey: SHA256:abc\n", "22:14: hosts[1].hostKey is \"SHA256:abc\", which is no host key; copy it from `ssh-keyscan HOST`, without the host: `ssh-ed25519 AAAA…`", false},
		{"name: w-1\n", "name: cp-1\n", "16:5: hosts[1] has the name of hosts[0]: cp-1; give each host its own", true},
		{"  user: admin\n", "  hostKey: " + pin + "\n  user: admin\n", "4:3: ssh has the unknown key hostKey; known keys: bastion, port,", false},
		{"user: root, passwordFile: bmc, ", "user: root, ", "15:10: hosts[0].bmc has no passwordFile; add `passwordFile:`", false},
		{"port: 8443, user: root, ", "port: 8443, password: hunter2, user: root, ", "15:45: hosts[0].bmc has the unknown key password; known keys: address, port, user, passwordFile, pin, insecure, system, recover", false},
		{"pin: " + sum, "pin: 0f:1e", `15:81: hosts[0].bmc.pin is "0f:1e", which is no pin; write the SHA-256 of its certificate as 64 of 0-9 a-f`, false},
		{"system: System.Embedded.1", "system: ../1", `15:155: hosts[0].bmc.system is "../1", which is no system; write the Id`, false},
		{"insecure: true", "insecure: true, pin: " + sum, "24:77: hosts[1].bmc has both pin and insecure; keep one of the two", true},
		{"insecure: true", "insecure: false", "24:77: hosts[1].bmc.insecure is not true; write true, or leave it out", false},
		{"insecure: true", "insecure: true, port: 0", "24:89: hosts[1].bmc.port is the number 0, not a number from 1 to 65535", false},
		{"bastion: {address: other.example, ", "bastion: {", "23:14: hosts[1].bastion has no address; add `address:`", false},
	} {
		t.Run(strings.TrimSpace(tt.old)+" to "+strings.TrimSpace(tt.new), func(t *testing.T) {
			text := vary(t, tt.old, tt.new)
			bySchema, byLoader := agree(t, text)
			if byLoader == nil || !strings.HasPrefix(byLoader.Error(), "i.yaml:"+tt.want) {
				t.Errorf("error\n%v\nwant\ni.yaml:%s", byLoader, tt.want)
			}
			if (bySchema == nil) != tt.alone {
				t.Errorf("schema: %v", bySchema)
			}
			if byLoader != nil && strings.Contains(byLoader.Error(), "hunter2") {
				t.Error("the message tells a password")
			}
		})
	}
	if bySchema, byLoader := agree(t, small); bySchema != nil || byLoader != nil {
		t.Errorf("the sample: schema %v, loader %v", bySchema, byLoader)
	}
}

// Everything that is wrong with all hosts, at once.
func TestAllProblemsAtOnce(t *testing.T) {
	_, err := Load("i.yaml", []byte("apiVersion: qualify/v1\nkind: Inventory\nhosts:\n- {name: a, address: x, role: worker}\n- {name: b, address: x, role: worker}\n"))
	var all strict.Problems
	if !errors.As(err, &all) || len(all) != 3+3+1+1 {
		t.Errorf("%d problems: %v", len(all), err)
	}
	for _, want := range []string{"has no user", "has no key", "cannot be told", "has the address of hosts[0]: x:22", "no host is a control plane"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing: %v", want, err)
		}
	}
}

// Two networks may use the same addresses.
func TestOneAddressBehindTwoBastions(t *testing.T) {
	if _, err := Load("i.yaml", []byte(vary(t, "address: w-1.example\n    port: 22", "address: 192.0.2.1\n    port: 2222"))); err != nil {
		t.Error(err)
	}
	same := strings.Replace(vary(t, "address: w-1.example\n    port: 22", "address: 192.0.2.1\n    port: 2222"), "other.example", "jump.example", 1)
	if _, err := Load("i.yaml", []byte(same)); err == nil || !strings.Contains(err.Error(), "by way of jump.example") {
		t.Errorf("one machine twice: %v", err)
	}
}

func agree(t testing.TB, text string) (bySchema, byLoader error) {
	t.Helper()
	read, err := stricttest.Schema("inventory.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var resolved *jsonschema.Resolved
	if resolved, err = read.Resolve(nil); err != nil {
		t.Fatal(err)
	}
	host := read.Properties["hosts"].Items.Properties
	for name, pattern := range map[string]string{
		addressText: read.Defs["address"].Pattern, userText: read.Defs["user"].Pattern, pathText: read.Defs["path"].Pattern, hostKeyText: read.Defs["hostKey"].Pattern,
		nameText: host["name"].Pattern, pinText: read.Defs["bmc"].Properties["pin"].Pattern, systemText: read.Defs["bmc"].Properties["system"].Pattern, labelKey: host["labels"].PropertyNames.Pattern, labelValue: host["labels"].AdditionalProperties.Pattern,
	} {
		if name != pattern {
			t.Errorf("%s in the schema, %s in the loader", pattern, name)
		}
	}
	plain, err := stricttest.Plain([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	_, byLoader = Load("i.yaml", []byte(text))
	return resolved.Validate(plain), byLoader
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("apiVersion: qualify/v1\nkind: Inventory\nhosts: [{name: a, address: b, role: control-plane, bastion: }]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		inv, err := Load("i.yaml", data)
		if err != nil {
			return
		}
		text, err := inv.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Load("i.yaml", text); err != nil || !reflect.DeepEqual(again.Hosts, inv.Hosts) && len(text) < 1<<19 {
			t.Errorf("written and read again: %v\n%s", err, text)
		}
	})
}

// The endpoint of several control planes, as schema and loader have it.
func TestEndpoint(t *testing.T) {
	with := func(text string) string { return vary(t, "hosts:\n", text+"hosts:\n") }
	for text, want := range map[string]*Endpoint{
		"controlPlaneEndpoint: {address: api.example}\n":                    {"api.example", 6443},
		"controlPlaneEndpoint: {address: 10.0.0.100, port: 443}\n":          {"10.0.0.100", 443},
		"controlPlaneEndpoint: {address: 10.0.0.100, port: 0}\n":            nil,
		"controlPlaneEndpoint: {port: 443}\n":                               nil,
		"controlPlaneEndpoint: {address: 'https://api.example'}\n":          nil,
		"controlPlaneEndpoint: {address: api.example, balancer: haproxy}\n": nil,
		"controlPlaneEndpoint: api.example\n":                               nil,
	} {
		bySchema, byLoader := agree(t, with(text))
		if (bySchema == nil) != (want != nil) || (byLoader == nil) != (want != nil) {
			t.Errorf("%s: schema %v, loader %v", text, bySchema, byLoader)
			continue
		}
		if want == nil {
			continue
		}
		got, err := Load("i.yaml", []byte(with(text)))
		if err != nil || !reflect.DeepEqual(got.Endpoint, want) {
			t.Errorf("%s: %+v, %v", text, got.Endpoint, err)
			continue
		}
		written, err := got.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Load("i.yaml", written); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("written and read again: %+v, %v\n%s", again, err, written)
		}
	}
}

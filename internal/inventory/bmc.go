package inventory

import (
	"cmp"

	"go.yaml.in/yaml/v3"
)

// BMC is a host's management controller, which is asked by Redfish. Its
// password is in a file, like others.
type BMC struct {
	Address      string // name or IP address
	Port         int
	User         string
	PasswordFile string
	// Pin is the SHA-256 of its certificate in hexadecimal; "" has it verified.
	// Insecure takes whatever certificate it shows, for this host alone.
	Pin      string
	Insecure bool
	System   string // the Id of the machine, where the controller has several
	// Recover lets it be started anew without being asked where it does not answer
	// by SSH and has to be given back. It may be doing something else by then.
	Recover bool
}

// httpsPort is where controllers listen.
const httpsPort = 443

// bmc reads how a host's power is switched.
func (l *loader) bmc(n *yaml.Node, path string) *BMC {
	f := l.Fields(n, path, []string{"address", "port", "user", "passwordFile", "pin", "insecure", "system", "recover"}, []string{"address", "user", "passwordFile"})
	if f == nil {
		return nil
	}
	b := &BMC{Port: httpsPort, Insecure: l.yes(f["insecure"], path+".insecure"), Recover: l.yes(f["recover"], path+".recover")}
	for key, to := range map[string]*string{"address": &b.Address, "user": &b.User, "pin": &b.Pin, "system": &b.System} {
		*to = l.formed(f[key], path+"."+key, key)
	}
	b.PasswordFile = l.formed(f["passwordFile"], path+".passwordFile", "path")
	if f["port"] != nil {
		b.Port = cmp.Or(l.Whole(f["port"], path+".port", 1, 65535), httpsPort)
	}
	if b.Pin != "" && b.Insecure {
		l.Problem(f["insecure"], path+" has both pin and insecure", "keep one of the two")
	}
	return b
}

// yes reads what can only be true.
func (l *loader) yes(n *yaml.Node, path string) bool {
	if n == nil {
		return false
	}
	if n.Tag != "!!bool" || n.Value != "true" {
		l.Problem(n, path+" is not true", "write true, or leave it out")
	}
	return true
}

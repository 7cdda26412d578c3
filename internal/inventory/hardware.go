package inventory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// fromHardware reads the CSV that EKS Anywhere's bare metal provider takes.
// Its hosts are addressed by their future addresses; disks and network settings
// are for a provider that installs the operating system, which we do not. The
// password of a BMC is neither carried over nor told: a file is named where it
// belongs.
func fromHardware(data []byte) (*Imported, error) {
	table := csv.NewReader(bytes.NewReader(data))
	table.TrimLeadingSpace = true
	columns, err := table.Read()
	if err != nil {
		return nil, fmt.Errorf("not the CSV of EKS Anywhere: %w", err)
	}
	columns = slices.Clone(columns)
	for _, needed := range []string{"hostname", "ip_address", "labels"} {
		if !slices.Contains(columns, needed) {
			return nil, fmt.Errorf("no column %s: the hardware of EKS Anywhere has one", needed)
		}
	}
	in := &Imported{}
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("not the CSV of EKS Anywhere: %w", err)
		}
		machine := map[string]string{}
		for i, column := range columns {
			machine[column] = row[i]
		}
		in.machine(machine)
	}
	if len(in.Inventory.Hosts) == 0 {
		return nil, errors.New("no machines")
	}
	in.roles()
	return in, nil
}

func (in *Imported) machine(machine map[string]string) {
	name := hostName(machine["hostname"])
	if name == "" {
		in.left("machine %q: its name is none of a host", machine["hostname"])
		return
	}
	h := Host{Name: name, Role: Worker, Access: Access{Address: machine["ip_address"]}, Labels: map[string]string{}}
	for _, label := range strings.Split(machine["labels"], "|") {
		key, value, ok := strings.Cut(label, "=")
		switch {
		case !ok || !forms["key"].like.MatchString(key) || !forms["value"].like.MatchString(value):
			if label != "" {
				in.left("machine %s: the label %q", name, label)
			}
		case key == "type" && (value == "cp" || value == "control-plane"):
			h.Role = ControlPlane
			fallthrough
		default:
			h.Labels[key] = value
		}
	}
	carried := []string{"hostname", "ip_address", "labels"}
	if address, user := machine["bmc_ip"], machine["bmc_username"]; forms["address"].like.MatchString(address) && forms["user"].like.MatchString(user) {
		h.BMC = &BMC{Address: address, Port: httpsPort, User: user, PasswordFile: name + ".bmc"}
		carried = append(carried, "bmc_ip", "bmc_username")
		if machine["bmc_password"] != "" {
			carried = append(carried, "bmc_password")
			in.left("machine %s: the password of its BMC; write it into the file %s, which nobody else can read", name, h.BMC.PasswordFile)
		}
	}
	for column, value := range machine {
		if value != "" && !slices.Contains(carried, column) {
			in.left("the column %s", column)
		}
	}
	in.Inventory.Hosts = append(in.Inventory.Hosts, h)
}

// roles makes the first machine a control plane where no label says which is:
// the labels are chosen by who writes the file.
func (in *Imported) roles() {
	hosts := in.Inventory.Hosts
	if !slices.ContainsFunc(hosts, func(h Host) bool { return h.Role == ControlPlane }) {
		hosts[0].Role = ControlPlane
		in.left("no machine has the label type=cp; %s becomes the control plane", hosts[0].Name)
	}
}

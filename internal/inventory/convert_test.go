package inventory

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the goldens anew")

// Each sample gives an inventory and a list of what is not in it.
func TestImports(t *testing.T) {
	for file, source := range map[string]string{"k0sctl.yaml": "k0sctl", "kubespray.ini": "kubespray", "hardware.csv": "eks-anywhere"} {
		t.Run(source, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			in, err := Import(source, file, data)
			if err != nil {
				t.Fatal(err)
			}
			text, err := in.Inventory.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			got := string(text) + "---- left\n" + strings.Join(in.Left, "\n") + "\n"
			if strings.Contains(got, "hunter2") {
				t.Errorf("a password came along:\n%s", got)
			}
			golden := filepath.Join("testdata", file+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || got != string(want) {
				t.Errorf("got\n%s\nwant\n%s%v", got, want, err)
			}
		})
	}
}

func TestImportsThatFail(t *testing.T) {
	for _, tt := range []struct{ source, text, want string }{
		{"ansible", "", "unknown kind of inventory \"ansible\": known are eks-anywhere, k0sctl, kubespray"},
		{"k0sctl", "a: [", "not the YAML of k0sctl"},
		{"k0sctl", "- a", "not the YAML of k0sctl: line 1 is not of the kind that it has there"},
		{"k0sctl", "spec: {hosts: [{ssh: {port: hunter2}}]}", "not the YAML of k0sctl: line 1 is not of the kind that it has there"},
		{"k0sctl", "spec: {}", "no hosts: a file of k0sctl has them in spec.hosts"},
		{"k0sctl", "spec: {hosts: [{role: worker, ssh: {address: a}}]}", "no host is a control plane"},
		{"k0sctl", "spec: {hosts: [{role: controller, ssh: {address: 'a b'}}]}", "which is no address"},
		{"kubespray", "[all]\na\n", "no hosts in the group kube_control_plane"},
		{"kubespray", "[all\n", "line 1: a section without its ]"},
		{"kubespray", "[a:odd]\nx\n", "line 2: in a section of unknown kind \"odd\""},
		{"kubespray", "[kube_control_plane:children]\na\n[a:children]\nkube_control_plane\n", "no hosts in the group"},
		{"eks-anywhere", "hostname,ip_address\n", "no column labels"},
		{"eks-anywhere", "", "not the CSV of EKS Anywhere"},
		{"eks-anywhere", "hostname,ip_address,labels\n", "no machines"},
		{"eks-anywhere", "hostname,ip_address,labels\na,b\n", "wrong number of fields"},
		{"eks-anywhere", strings.Repeat("x", maxForeign+1), "more than 1048576: is it an inventory?"},
	} {
		_, err := Import(tt.source, "f", []byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %.40q: %v, want %s", tt.source, tt.text, err, tt.want)
		}
	}
}

// No file of others ends in a panic, or in an inventory that we would refuse.
func FuzzImport(f *testing.F) {
	for i, file := range []string{"hardware.csv", "k0sctl.yaml", "kubespray.ini"} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, data)
	}
	f.Fuzz(func(t *testing.T, which int, data []byte) {
		if which < 0 || which >= len(Sources()) {
			return
		}
		in, err := Import(Sources()[which], "f", data)
		if err != nil {
			return
		}
		text, err := in.Inventory.Marshal()
		if err == nil {
			_, err = Load("f", text)
		}
		if err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	})
}

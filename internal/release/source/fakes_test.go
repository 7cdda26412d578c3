package source

import (
	"fmt"
	"os/exec"
	"path"
	"strings"
	"testing"
)

// fakeVersion is the Kubernetes version of the fake candidate.
const fakeVersion = "v1.99.4"

// fakeCandidate serves modules with the names and the layout of the real ones
// and next to nothing in them: all that a build goes through, in seconds.
func fakeCandidate(t *testing.T) {
	t.Helper()
	plugins := fakeModule{"github.com/containernetworking/plugins", cniPluginsVersion, map[string]string{
		"go.mod":                      "module github.com/containernetworking/plugins\n\ngo 1.21\n",
		"pkg/utils/buildversion/v.go": "package buildversion\n\nvar BuildVersion string\n",
	}}
	for name, kind := range cniPlugins {
		plugins.files[path.Join("plugins", kind, name, "main.go")] = `package main

import (
	"os"

	"github.com/containernetworking/plugins/pkg/utils/buildversion"
)

func main() { os.Stdout.WriteString("` + name + ` " + buildversion.BuildVersion + "\n") }
`
	}
	serve(t, []fakeModule{
		fakeKubernetes(t), plugins,
		{"k8s.io/component-base", "v0.99.4", map[string]string{
			"go.mod":       "module k8s.io/component-base\n\ngo 1.21\n",
			"version/v.go": "package version\n\nvar gitVersion, gitMajor, gitMinor, gitTreeState, buildDate string\n\nfunc Text() string { return gitVersion + \" \" + gitMinor + \" \" + gitTreeState + \" \" + buildDate }\n",
		}},
		{"github.com/onsi/ginkgo/v2", "v2.99.0", map[string]string{
			"go.mod": "module github.com/onsi/ginkgo/v2\n\ngo 1.21\n", "ginkgo/main.go": tiny("ginkgo"),
		}},
		fakeEtcd[0], fakeEtcd[1],
		{"go.etcd.io/etcd/etcdctl/v3", "v3.6.5", map[string]string{"go.mod": "module go.etcd.io/etcd/etcdctl/v3\n\ngo 1.21\n", "main.go": tiny("etcdctl")}},
		{"github.com/coredns/coredns", "v1.12.1", map[string]string{"go.mod": "module github.com/coredns/coredns\n\ngo 1.21\n", "main.go": tiny("coredns")}},
	})
}

// fakeEtcd is the server without its tools.
var fakeEtcd = []fakeModule{
	{"go.etcd.io/etcd/server/v3", "v3.6.5", map[string]string{
		"go.mod":  "module go.etcd.io/etcd/server/v3\n\ngo 1.21\n\nrequire go.etcd.io/etcd/api/v3 v3.6.5\n\nreplace go.etcd.io/etcd/api/v3 => ../api\n\nreplace go.etcd.io/etcd => ./FORBIDDEN_DEPENDENCY\n",
		"main.go": "package main\n\nimport \"go.etcd.io/etcd/api/v3/version\"\n\nfunc main() { print(version.Version) }\n",
	}},
	{"go.etcd.io/etcd/api/v3", "v3.6.5", map[string]string{
		"go.mod": "module go.etcd.io/etcd/api/v3\n\ngo 1.21\n", "version/v.go": "package version\n\nconst Version = \"3.6.5\"\n",
	}},
}

func fakeKubernetes(t *testing.T) fakeModule {
	t.Helper()
	m := fakeModule{kubernetesModule, fakeVersion, map[string]string{
		"go.mod": `module k8s.io/kubernetes

go 1.21

require (
	github.com/onsi/ginkgo/v2 v2.99.0
	k8s.io/component-base v0.0.0
)

replace (
	k8s.io/component-base => ./staging/src/k8s.io/component-base
	k8s.io/unused => ./staging/src/k8s.io/unused
)
`,
		// Keeps the requirement of the program that is built by its import path.
		"hack/tools.go":                            "//go:build tools\n\npackage hack\n\nimport _ \"github.com/onsi/ginkgo/v2/ginkgo\"\n",
		"test/e2e/e2e_test.go":                     fakeE2E(read(t, "testdata/images/e2e.txt")),
		"test/images/agnhost/agnhost.go":           tiny("agnhost"),
		"test/images/agnhost/porter/localhost.crt": "a certificate\n",
		"test/images/agnhost/porter/localhost.key": "a key\n",
		"build/pause/linux/pause.c":                "const char *version = VERSION_TEXT(VERSION);\nint main(void) { return version[0] != 'v'; }\n",
	}}
	m.files["build/pause/linux/pause.c"] = "#define TEXT(x) #x\n#define TEXT_OF(x) TEXT(x)\nint main(void) { return TEXT_OF(VERSION)[0] != 'v'; }\n"
	for _, name := range kubernetesPrograms {
		m.files["cmd/"+name+"/main.go"] = `package main

import (
	"os"

	"k8s.io/component-base/version"
)

func main() { os.Stdout.WriteString("` + name + ` " + version.Text() + "\n") }
`
	}
	m.files["cmd/kubeadm/main.go"] = tiny(read(t, "testdata/images/kubeadm.txt"))
	return m
}

func fakeE2E(images string) string {
	return fmt.Sprintf(`package e2e

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "--list-images" {
		os.Stdout.WriteString(%q)
		os.Exit(0)
	}
	os.Exit(1)
}
`, images)
}

// fakeUserland is the root filesystem that some images stand on.
func fakeUserland(t *testing.T) string {
	t.Helper()
	return tarOf(t, [2]string{"bin/sh", "a shell"}, [2]string{"etc/group", "root:x:0:\n"}, [2]string{"etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"})
}

// buildFake runs all steps but that of the userland, and says which found
// everything in the cache.
func buildFake(t *testing.T, b *builder, userland string) (cached []string) {
	t.Helper()
	for _, s := range steps {
		b.step.cached = false
		switch {
		case s.name == "image userland":
			b.userland, b.filters = userland, userland
			continue
		case s.name == "pause" && !installed("gcc"):
			t.Log("gcc is not installed: pause is a stand-in")
			b.programs["pause"] = userland
			continue
		}
		if err := s.run(t.Context(), b); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if b.step.cached {
			cached = append(cached, s.name)
		}
	}
	return cached
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// output runs a program of the fake candidate.
func output(t *testing.T, file string) string {
	t.Helper()
	out, err := exec.Command(file).CombinedOutput()
	must(t, err)
	return strings.TrimSpace(string(out))
}

func lookPath(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	must(t, err)
	return path
}

package testimages

import (
	"path/filepath"
	"strings"

	"github.com/qualify-dev/qualify/internal/release/source"
)

// programs are images around programs of Go modules, as their Dockerfiles in
// test/images of Kubernetes have them.
func programs() []entry {
	return []entry{
		{
			image: "e2e-test-images/nonewprivs", how: "test/images/nonewprivs of the release's Kubernetes, setuid root",
			programs: map[string]string{"nnp": "./test/images/nonewprivs"}, command: []string{"nnp"},
			files: func(p parts) ([]source.File, error) {
				return []source.File{p.program("nnp", "usr/local/bin/nnp", 0o6755)}, nil
			},
		},
		{
			image: "e2e-test-images/regression-issue-74839", how: "test/images/regression-issue-74839 of the release's Kubernetes",
			programs:   map[string]string{"regression-issue-74839": "./test/images/regression-issue-74839"},
			entrypoint: []string{"/regression-issue-74839"}, files: atRoot("regression-issue-74839"),
		},
		{
			image: "e2e-test-images/resource-consumer", how: "test/images/resource-consumer of the release's Kubernetes, and Debian's stress",
			debian: []string{"coreutils", "stress"},
			programs: map[string]string{
				"consumer": "./test/images/resource-consumer", "consume-cpu": "./test/images/resource-consumer/consume-cpu",
			},
			entrypoint: []string{"/consumer"}, files: atRoot("consumer", "consume-cpu"),
		},
		{
			image: "e2e-test-images/sample-apiserver", how: "k8s.io/sample-apiserver at the version of the release's Kubernetes",
			programs:   map[string]string{"sample-apiserver": "k8s.io/sample-apiserver"},
			entrypoint: []string{"/sample-apiserver"}, files: atRoot("sample-apiserver"),
		},
		picture("nautilus"),
		picture("kitten"),
		{
			image: "etcd", how: "go.etcd.io/etcd at the version of the tag",
			module: "go.etcd.io/etcd/server/v3", version: etcdVersion, programs: map[string]string{"etcd": "."},
			entrypoint: []string{"/usr/local/bin/etcd"},
			files: func(p parts) ([]source.File, error) {
				return []source.File{p.program("etcd", "usr/local/bin/etcd", 0o755)}, nil
			},
		},
	}
}

// atRoot puts programs where their Dockerfiles do.
func atRoot(names ...string) func(parts) ([]source.File, error) {
	return func(p parts) ([]source.File, error) {
		var files []source.File
		for _, name := range names {
			files = append(files, p.program(name, name, 0o755))
		}
		return files, nil
	}
}

// picture is an image that serves a picture, for the update demo.
func picture(name string) entry {
	return entry{
		image: "e2e-test-images/" + name, how: "the files of test/images/" + name + " of the release's Kubernetes, served by its agnhost",
		programs:   map[string]string{"agnhost": "./test/images/agnhost"},
		entrypoint: []string{"/agnhost"}, command: []string{"test-webserver"},
		files: func(p parts) ([]source.File, error) {
			html := filepath.Join(p.kubernetes, "test", "images", name, "html")
			return []source.File{
				p.program("agnhost", "agnhost", 0o755),
				{Path: name + ".jpg", Source: filepath.Join(html, name+".jpg"), Mode: 0o644},
				{Path: "data.json", Source: filepath.Join(html, "data.json"), Mode: 0o644},
			}, nil
		},
	}
}

// etcdVersion maps the tag 3.6.4-0 to the module version v3.6.4.
func etcdVersion(tag string) string {
	version, _, _ := strings.Cut(tag, "-")
	return "v" + version
}

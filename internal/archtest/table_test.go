package archtest

// row says what one package of ours may import. Test files are free: a test
// may know more than what it tests.
type row struct {
	dir   string   // below the repository's root; "x/*" stands for each folder of x without a row of its own
	ours  []string // packages of ours that it may import; "*" is any
	never []string // what it must not import; "x/..." is x and all below it
	pure  bool     // reads no clock and no environment, and prints nothing
	soon  bool     // there need not be such a package yet
}

// What packages are kept away from, by what it would let them do.
var (
	exec    = []string{"os/exec", "plugin", "syscall"}
	disk    = []string{"os", "io/ioutil"}
	network = []string{
		"net", "net/http/...", "net/rpc/...", "net/smtp", "crypto/tls", "golang.org/x/net/...",
		"google.golang.org/grpc/...", "github.com/google/go-containerregistry/pkg/v1/remote/...",
	}
	clusters = []string{
		"k8s.io/...", "sigs.k8s.io/kind/...", "sigs.k8s.io/controller-runtime/...",
		"github.com/docker/...", "github.com/moby/...", "github.com/containerd/...",
	}
	commandLine = []string{"flag", "github.com/spf13/..."}
	formats     = []string{"encoding/xml", "html/template", "text/template", "text/tabwriter"}
)

// table is the direction of the imports. A package without a row fails the
// test, and so does a row without a package that is not expected soon.
var table = []row{
	// What is planned and what follows from evidence: pure, so that the same
	// input gives the same answer on every machine and on every day.
	{dir: "internal/strict", never: join(exec, disk, network, clusters, commandLine), pure: true},
	{dir: "internal/strict/stricttest", never: join(exec, network, clusters, commandLine)},
	{
		dir: "matrix/policy", ours: []string{"internal/result", "internal/strict"},
		never: join(exec, disk, network, clusters, commandLine), pure: true,
	},
	{dir: "matrix/cover", never: join(exec, disk, network, clusters, commandLine), pure: true},
	{dir: "matrix/cover/check", ours: []string{"matrix/cover"}, never: join(exec, disk, network, clusters, commandLine), pure: true},
	{dir: "matrix", ours: []string{"internal/strict", "matrix/cover", "matrix/cover/check"}, never: join(exec, disk, network, clusters, commandLine), pure: true},
	{dir: "internal/inventory", ours: []string{"internal/strict"}, never: join(exec, disk, clusters, commandLine, []string{"net", "net/http/..."}), pure: true},
	{dir: "internal/result", never: join(exec, network, clusters, commandLine), pure: true},
	{dir: "internal/nodeos", never: join(exec, disk, network, clusters, commandLine), pure: true},
	{dir: "internal/report", ours: []string{"internal/result"}, never: join(exec, disk, network, clusters, commandLine), pure: true},
	// It is given a directory as a file system, and the day as a value.
	{dir: "internal/cncf", ours: []string{"internal/report", "internal/result"}, never: join(exec, disk, network, clusters, commandLine), pure: true},
	{dir: "internal/schedule", never: join(exec, disk, network, clusters, commandLine), pure: true},
	// html/template is there for its way of escaping: secrets are looked for in it.
	{dir: "internal/redact", never: join(exec, disk, network, clusters, commandLine), pure: true},
	{dir: "internal/redact/redacttest", never: join(exec, disk, network, clusters, commandLine), pure: true},
	// It is given the gate that it tests, so it needs no way to the real one.
	{
		dir: "internal/selftest", ours: []string{"internal/result", "internal/run"},
		never: join(exec, disk, network, clusters, commandLine), pure: true,
	},

	{dir: "internal/support", never: join(exec, disk, network, clusters, commandLine), pure: true},

	// The candidate.
	{dir: "internal/release", never: join([]string{"os/exec", "plugin"}, clusters, commandLine)},
	{dir: "internal/release/remote", ours: []string{"internal/release"}, never: join(exec, disk, clusters, commandLine)},
	{dir: "internal/release/images", ours: []string{"internal/release", "internal/release/remote"}, never: join([]string{"os/exec", "plugin"}, clusters, commandLine)},
	{dir: "internal/release/unpack", never: join(exec, network, clusters, commandLine)},
	{
		dir: "internal/release/intake", never: join([]string{"os/exec", "plugin"}, clusters, commandLine),
		ours: []string{"internal/release", "internal/release/images", "internal/release/remote", "internal/release/unpack", "internal/scratch"},
	},
	{
		dir: "internal/release/source", never: join(network, clusters, commandLine),
		ours: []string{"internal/cache", "internal/debootstrap", "internal/release", "internal/scratch", "internal/stabletar"},
	},

	{
		dir: "internal/testimages", never: join(clusters, commandLine),
		ours: []string{"internal/cache", "internal/debootstrap", "internal/release", "internal/release/source", "internal/scratch"},
	},

	// Leaves that others stand on.
	{dir: "internal/sink", ours: []string{"internal/redact"}, never: join(exec, network, clusters, commandLine)},
	{dir: "internal/cache", never: join(exec, network, clusters, commandLine)},
	{dir: "internal/scratch", ours: []string{"internal/claim"}, never: join(exec, network, clusters, commandLine)},
	{dir: "internal/stabletar", never: join([]string{"os/exec", "plugin"}, network, clusters, commandLine)},
	{dir: "internal/claim", never: join(exec, network, clusters, commandLine)},
	{dir: "internal/cluster", never: join(exec, disk, network, clusters, commandLine), pure: true},
	{dir: "internal/remote", ours: []string{"internal/cluster"}, never: join(exec, clusters, commandLine)},
	{dir: "internal/remote/remotetest", never: join(clusters, commandLine)},
	{dir: "internal/power", never: join(exec, disk, clusters, commandLine)},
	{dir: "internal/power/powertest", never: join(exec, disk, clusters, commandLine)},
	{dir: "internal/debootstrap", ours: []string{"internal/cache", "internal/stabletar"}, never: join(network, clusters, commandLine)},
	{dir: "internal/doctor", ours: []string{"internal/scratch"}, never: join(network, clusters, commandLine)},
	{dir: "internal/ginkgo", ours: []string{"internal/scratch", "internal/sink"}, never: join(clusters, commandLine)},
	// What runs in a cluster is reached through its API.
	{dir: "internal/inpod", never: join(exec, disk, commandLine, formats)},
	{dir: "internal/sonobuoy", ours: []string{"internal/inpod"}, never: join(exec, disk, commandLine, formats)},
	{dir: "internal/inpod/inpodtest", never: join(exec, disk, commandLine, formats)},
	{dir: "internal/identity", ours: []string{"internal/cluster", "internal/release"}, never: join(exec, commandLine)},

	// Clusters. A provisioner knows the seam and never another provisioner.
	{
		dir: "internal/provision", never: join(exec, disk, network, clusters, commandLine),
		ours: []string{"internal/cluster", "internal/release", "internal/sink", "matrix"},
	},
	{dir: "internal/provision/all", ours: []string{"internal/provision", "internal/provision/*"}, never: join(exec, network, clusters, commandLine)},
	{
		dir: "internal/provision/*", never: commandLine,
		ours: []string{
			"internal/bootstrap", "internal/cache", "internal/cluster", "internal/debootstrap", "internal/nodeos",
			"internal/inventory", "internal/power", "internal/provision", "internal/release", "internal/remote", "internal/scratch", "internal/sink", "matrix",
		},
	},

	{dir: "internal/provision/metal/metaltest", ours: []string{"internal/cache", "internal/debootstrap", "internal/inventory"}, never: join(network, clusters, commandLine)},

	{dir: "internal/bootstrap", ours: []string{"internal/cluster", "internal/nodeos", "internal/release", "internal/sink"}, never: join(exec, disk, commandLine, formats)},

	// What runs in clusters, and the loop that runs it.
	{
		dir: "suites", never: join(exec, network, clusters, commandLine, formats),
		ours: []string{
			"internal/cluster", "internal/cncf", "internal/ginkgo", "internal/inpod", "internal/release", "internal/result", "internal/schedule", "internal/sink", "internal/sonobuoy",
		},
	},
	{
		dir: "internal/run", never: join(exec, network, clusters, commandLine, formats),
		ours: []string{
			"internal/cache", "internal/claim", "internal/cluster", "internal/identity", "internal/provision",
			"internal/release", "internal/result", "internal/sink", "matrix", "suites",
		},
	},
	{
		dir: "internal/planning", ours: []string{"internal/release", "internal/result", "internal/run", "matrix"},
		never: join(exec, disk, network, clusters, commandLine), pure: true,
	},
	{
		dir: "internal/gc", never: join(exec, disk, network, clusters, commandLine, formats),
		ours: []string{"internal/claim", "internal/provision", "internal/result"},
	},

	// Programs.
	{dir: "cmd/qualify", ours: []string{"*"}, never: clusters},
	{dir: "hack/conformancelist", ours: []string{"internal/cncf"}, never: join(network, clusters)},
	{dir: "hack/*", never: join(network, clusters)},
	{dir: "bench/*", ours: []string{"*"}},
	{dir: "internal/archtest"},

	// The nested module.
	{dir: "suites/e2e", ours: []string{"suites/e2e/specs"}},
	{dir: "suites/e2e/specs"},
}

// only lists what some packages alone may import.
var only = []struct {
	imports []string
	by      []string // packages, or "x/*"; none at all: tests alone, and not even they with noTests
	noTests bool
	why     string
}{
	{
		imports: []string{"github.com/aws/...", "cloud.google.com/...", "google.golang.org/api/...", "github.com/Azure/..."},
		by:      []string{"internal/provision/ec2"}, why: "a cloud's SDK stays in its provisioner",
	},
	{imports: []string{"github.com/vmware-tanzu/sonobuoy/..."}, by: []string{"internal/sonobuoy"}, why: "its traps are known in one place"},
	{imports: []string{"sigs.k8s.io/kind/..."}, by: []string{"internal/provision/kind", "bench/*"}, why: "kind's library stays in its provisioner"},
	{imports: []string{"github.com/google/go-containerregistry/..."}, by: []string{"internal/release/source", "internal/release/images"}, why: "images are packed in one place and fetched in another"},
	{imports: []string{"github.com/spf13/..."}, by: []string{"cmd/qualify"}, why: "flags belong to the command line"},
	{imports: []string{"github.com/charmbracelet/...", "charm.land/..."}, by: []string{"cmd/qualify"}, why: "terminals belong to the command line"},
	{imports: []string{module + "/internal/provision/all"}, by: []string{"cmd/qualify", "bench/*"}, why: "everything else takes the provisioner that it is given"},
	{
		imports: []string{module + "/internal/provision/fake", module + "/internal/provision/provisiontest"},
		why:     "clusters that do not exist are for tests",
	},
	{imports: []string{module + "/internal/provision/metal/metaltest"}, by: []string{"bench/*"}, why: "its machines are for tests and measurements"},
	{imports: []string{module + "/internal/inpod/inpodtest"}, why: "a cluster that does not exist is for tests"},
	{imports: []string{module + "/internal/remote/remotetest"}, why: "it lets in whom a test wants"},
	{imports: []string{"golang.org/x/crypto/ssh/..."}, by: []string{"internal/remote", "internal/remote/remotetest", "internal/provision/metal"}, why: "machines are reached in one way"},
	{imports: []string{"github.com/stmcginnis/gofish/..."}, by: []string{"internal/power"}, why: "power is switched in one place"},
	{imports: []string{module + "/internal/power/powertest"}, why: "it is a controller of no machine"},
	{imports: []string{module + "/internal/redact/redacttest"}, why: "secrets that are made up are for tests"},
	{imports: []string{module + "/internal/strict/stricttest"}, why: "it damages files, for tests"},
	{imports: []string{"testing"}, by: []string{"internal/provision/provisiontest"}, why: "it would put test flags into the program"},
	{imports: []string{"gopkg.in/yaml.v2", "gopkg.in/yaml.v3"}, noTests: true, why: "nobody maintains it; use go.yaml.in/yaml/v3 or sigs.k8s.io/yaml"},
	{imports: []string{"github.com/google/renameio/..."}, by: []string{"internal/sink"}, why: "files of a run are written in one place, behind the redactor"},
	{imports: []string{"C"}, noTests: true, why: "the programs are static"},
}

// writers lists who may create files with the means of package os: a folder, or
// one file of it. Everything else writes through internal/sink, so that nobody
// can forget the redactor. Each needs a reason why no secret gets into it.
var writers = []struct{ where, why string }{
	{"internal/sink", "it is the redactor's way to the disk"},
	{"internal/result/journal.go", "the journal is given events that were redacted"},
	{"internal/claim", "it says which process works on a run"},
	{"internal/cache", "what is kept is public: sources and what is built of them"},
	{"internal/release", "assets of the candidate, byte for byte"},
	{"internal/release/source", "the candidate"},
	{"internal/release/intake", "bundles of the candidate, byte for byte"},
	{"internal/release/unpack", "it writes below a root that it is given"},
	{"internal/release/images", "images of the candidate, byte for byte"},
	{"internal/debootstrap", "root filesystems"},
	{"internal/testimages", "programs of public source"},
	{"internal/stabletar", "root filesystems and assets"},
	{"internal/provision/kind/rootfs.go", "root filesystems"},
	{"internal/provision/kind/thaw.go", "one word, to the kernel"},
	{"internal/provision/fake", "the fake cloud, which no run is left with"},
	{"internal/doctor", "an empty module, to try the proxy with"},
	{"cmd/qualify/bundle.go", "parts of a run, which are redacted, and fields that their author means to publish"},
	{"cmd/qualify/cncf.go", "it opens submissions, for reading"},
	{"cmd/qualify/conformance.go", "names of public registries"},
	{"cmd/qualify/reserve.go", "nothing but space"},
	{"cmd/qualify/selftest.go", "copies of a run, for a moment"},
	{"internal/provision/metal/metaltest", "keys and inventories of machines that live as long as a test"},
	{"internal/remote/firstuse.go", "known_hosts: addresses and public keys"},
	{"hack/*", "other programs"},
	{"bench/*", "other programs"},
	{"suites/e2e/*", "another program; its output is redacted by who runs it"},
}

// allowed sizes, in lines.
const (
	mostFunction = 80
	mostFile     = 450
)

func join(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

package release

import (
	"regexp"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// APIVersion is the version of the manifest format, in all its eras.
const APIVersion = "distro.eks.amazonaws.com/v1alpha1"

// Options say how a manifest is read.
type Options struct {
	// Strict refuses fields that the format does not have. The default is to
	// pass over them, since fields were added over the years.
	Strict bool
	// FromRemote is set for a manifest that did not come from a local path. It
	// may not name local files: it would read them with the user's rights.
	FromRemote bool
}

// Channel is a parsed ReleaseChannel manifest: which release is the latest.
type Channel struct {
	Name          string // metadata.name, e.g. "1-34"
	SNSTopicARN   string // spec.snsTopicARN, where releases are announced
	Active        bool   // status.active; absent means false, as the tool that writes it leaves false out
	LatestRelease int    // status.latestRelease, at least 1
	Path          string // where the manifest was read from
}

var (
	nameForm      = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	channelForm   = regexp.MustCompile(`^[0-9]{1,3}-[0-9]{1,3}$`)
	componentForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$`)
	gitTagForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$`)
	commitForm    = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	archForm      = regexp.MustCompile(`^[a-z0-9_]{1,16}$`)
	osForm        = regexp.MustCompile(`^(linux|darwin|windows)$`)
	typeForm      = regexp.MustCompile(`^(Archive|Image)$`)
	eksName       = regexp.MustCompile(`^kubernetes-([0-9]+-[0-9]+)-eks-([0-9]+)$`)
	activeForm    = regexp.MustCompile(`^(true|false)$`)
	topicForm     = regexp.MustCompile(`^arn:[^\s]+$`)
)

// Parse reads a Release manifest of any era. name is where it was read from,
// for messages and for paths relative to it. The error is of type Problems and
// has everything that is wrong.
func Parse(name string, data []byte, opts Options) (*Release, error) {
	d := newDecoder(name, opts)
	root, ok := d.kind(data, "Release")
	if !ok {
		return nil, d.err()
	}
	r := d.release(root)
	if err := d.err(); err != nil {
		return nil, err
	}
	r.Path = name
	return r, nil
}

// ParseChannel reads a ReleaseChannel manifest. The error is of type Problems.
func ParseChannel(name string, data []byte, opts Options) (*Channel, error) {
	d := newDecoder(name, opts)
	root, ok := d.kind(data, "ReleaseChannel")
	if !ok {
		return nil, d.err()
	}
	meta := d.metadata(root)
	spec := root.sub("spec", "snsTopicARN")
	status := root.sub("status", "active", "latestRelease")
	status.require("latestRelease")
	c := &Channel{
		Name:          meta.match("name", channelForm, "a channel like 1-34"),
		SNSTopicARN:   spec.match("snsTopicARN", topicForm, "an ARN"),
		Active:        status.match("active", activeForm, "true or false") == "true",
		LatestRelease: status.positive("latestRelease"),
		Path:          name,
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// kind opens a document and makes sure of what it is.
func (d *decoder) kind(data []byte, kind string) (fields, bool) {
	n := d.document(data)
	if n == nil {
		return fields{}, false
	}
	if n.Kind != yaml.MappingNode {
		d.refuse(n, "is not a %s manifest: it has no fields", kind)
		return fields{}, false
	}
	root := d.fields(n, "the manifest")
	version, got := root.text("apiVersion"), root.text("kind")
	if version != APIVersion || got != kind {
		d.problems = nil // of a document of another kind this is the whole story
		is := "kind " + quote(got) + " of " + quote(version)
		if got == "" {
			is = "no kind"
		}
		d.refuse(root.at("kind"), "is not a %s manifest: it has %s, not kind %q of %q", kind, is, kind, APIVersion)
		return fields{}, false
	}
	root.known("apiVersion", "kind", "metadata", "spec", "status")
	return root, true
}

func (d *decoder) metadata(root fields) fields {
	root.require("metadata", "spec", "status")
	meta := root.sub("metadata", "name", "namespace", "creationTimestamp", "labels", "annotations",
		"generation", "managedFields", "resourceVersion", "uid")
	meta.require("name")
	return meta
}

func (d *decoder) release(root fields) *Release {
	meta := d.metadata(root)
	spec := root.sub("spec", "channel", "number", "buildRepoCommit")
	spec.require("channel", "number")
	status := root.sub("status", "components", "date")
	r := &Release{
		Name:            meta.match("name", nameForm, "a name of lower-case letters, digits, dots and dashes"),
		Channel:         spec.match("channel", channelForm, "a channel like 1-34"),
		Number:          spec.positive("number"),
		BuildRepoCommit: spec.match("buildRepoCommit", commitForm, "a git commit"),
		Date:            d.date(status),
	}
	items := status.list("components")
	if len(items) == 0 && len(d.problems) == 0 {
		d.refuse(status.at("components"), "status has no components")
	}
	for _, item := range items {
		r.Components = append(r.Components, d.component(item))
	}
	d.consistent(root, meta, r)
	return r
}

// date is the last field of a published manifest, so its absence is the one
// sign of a file that was cut off at the end of a line.
func (d *decoder) date(status fields) string {
	date := status.text("date")
	if date == "" {
		d.refuse(status.at("date"), "status has no date: it is the last field, was the file cut off?")
		return ""
	}
	if _, err := time.Parse(time.RFC3339, date); err != nil {
		d.refuse(status.at("date"), "date %s is not RFC 3339", quote(date))
	}
	return date
}

func (d *decoder) component(n *yaml.Node) Component {
	f := d.fields(n, "component")
	f.known("name", "gitTag", "gitCommit", "assets")
	f.require("name")
	c := Component{
		Name:      f.match("name", componentForm, "a component's name of letters, digits, dots and dashes"),
		GitTag:    f.match("gitTag", gitTagForm, "a git tag"),
		GitCommit: f.match("gitCommit", commitForm, "a git commit"),
	}
	d.once(n, "component", c.Name)
	f.what = "component " + quote(c.Name)
	items := f.list("assets")
	if len(items) == 0 && n.Kind == yaml.MappingNode {
		d.refuse(f.at("assets"), "%s has no assets", f.what)
	}
	for _, item := range items {
		a := d.readAsset(item, f.what)
		a.Component = c.Name
		c.Assets = append(c.Assets, a)
	}
	return c
}

// once refuses the second component or asset of one name: names are the index,
// and of two the reader could get either.
func (d *decoder) once(n *yaml.Node, what, name string) {
	key := what + " " + quote(name)
	if first, seen := d.seen[key]; seen && name != "" {
		if d.asset != "" {
			what = "its name" // the problem names the asset already
		} else {
			what = key
		}
		d.refuse(n, "%s is listed twice, first in line %d", what, first)
		return
	}
	d.seen[key] = n.Line
}

// consistent refuses a manifest whose parts speak of different releases.
func (d *decoder) consistent(root, meta fields, r *Release) {
	if len(d.problems) > 0 {
		return // what is wrong by itself need not agree with anything
	}
	if m := eksName.FindStringSubmatch(r.Name); m != nil && (m[1] != r.Channel || m[2] != strconv.Itoa(r.Number)) {
		d.refuse(meta.at("name"), "name %s does not agree with channel %s and number %d", quote(r.Name), r.Channel, r.Number)
	}
	channel, err := ChannelOf(r.Kubernetes())
	switch {
	case r.Kubernetes() == "":
		d.refuse(root.at("status"), "status has no component kubernetes with a gitTag: the release has no version")
	case err != nil:
		d.refuse(root.at("status"), "gitTag %s of component kubernetes is not a version like v1.34.4", quote(r.Kubernetes()))
	case channel != r.Channel:
		d.refuse(root.at("spec"), "channel %s does not agree with component kubernetes, which is %s", r.Channel, r.Kubernetes())
	}
}

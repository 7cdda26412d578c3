// Package specs holds qualify's own smoke specs: what a cluster of any
// distribution must do on its first day, checked from inside with one image.
package specs

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/distribution/reference"
	"k8s.io/client-go/tools/clientcmd"
)

// Options are the settings that are ours; all others are the framework's.
type Options struct {
	// AgnhostImage is the full reference of the only image the specs use.
	AgnhostImage string
}

// AddFlags registers our settings.
func (o *Options) AddFlags(flags *flag.FlagSet) {
	flags.StringVar(&o.AgnhostImage, "agnhost-image", "",
		"Full reference (registry, repository, tag or digest) of the agnhost image; the only image used. Required.")
}

// Call is how the binary was called, as far as Check judges it.
type Call struct {
	Flags      *flag.FlagSet
	Kubeconfig string
	Context    string
	DryRun     bool
}

// Check returns all that is wrong with a call, as one line, or nil. A dry run
// needs a kubeconfig file too, but nothing in it: it talks to no cluster.
func (o *Options) Check(call Call) error {
	var problems []string
	for _, err := range []error{
		checkArguments(call.Flags),
		checkKubeconfig(call),
		checkImage(o.AgnhostImage),
	} {
		if err != nil {
			problems = append(problems, strings.Join(strings.Fields(err.Error()), " "))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return errors.New(strings.Join(problems, "; "))
}

// checkArguments refuses what makes Go's test driver run nothing and exit 0,
// and words that flag parsing left over, after which flags are not read.
func checkArguments(flags *flag.FlagSet) error {
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	for name, only := range map[string]string{"test.run": "", "test.skip": "", "test.list": "", "test.count": "1"} {
		if f := flags.Lookup(name); f != nil && f.Value.String() != only {
			return fmt.Errorf("--%s could select no spec and still pass: select with --ginkgo.focus, --ginkgo.skip or --ginkgo.label-filter", name)
		}
	}
	return nil
}

func checkKubeconfig(call Call) error {
	if call.Kubeconfig == "" {
		return errors.New("--kubeconfig is required: there is no fallback to $KUBECONFIG, the home directory or an in-cluster account")
	}
	info, err := os.Stat(call.Kubeconfig)
	if err != nil {
		return fmt.Errorf("--kubeconfig: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("--kubeconfig: %s is not a file", call.Kubeconfig)
	}
	if call.DryRun {
		return nil
	}
	loaded, err := clientcmd.LoadFromFile(call.Kubeconfig)
	if err != nil {
		return fmt.Errorf("--kubeconfig %s: %w", call.Kubeconfig, err)
	}
	override := &clientcmd.ConfigOverrides{CurrentContext: call.Context}
	_, err = clientcmd.NewDefaultClientConfig(*loaded, override).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return fmt.Errorf("--kubeconfig %s names no cluster", call.Kubeconfig)
	}
	if err != nil {
		return fmt.Errorf("--kubeconfig %s: %w", call.Kubeconfig, err)
	}
	return nil
}

// checkImage wants registry and tag (or digest) spelled out: nodes without a
// registry hold the image under exactly one name, and "latest" is never it.
func checkImage(image string) error {
	if image == "" {
		return errors.New("--agnhost-image is required: the full reference of the agnhost image on the nodes")
	}
	named, err := reference.ParseNamed(image)
	if err != nil {
		return fmt.Errorf("--agnhost-image %q is not a full image reference: %w", image, err)
	}
	if reference.IsNameOnly(named) {
		return fmt.Errorf("--agnhost-image %q has neither tag nor digest", image)
	}
	return nil
}

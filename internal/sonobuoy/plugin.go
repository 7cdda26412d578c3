// Package sonobuoy has Sonobuoy run one of its plugins in a cluster, and brings
// the results home. Of its library it uses what makes the manifest, the types of
// status and results, and the way to the archive; looking at the run is done
// here, since the library's calls take no context and wait for what never comes.
package sonobuoy

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/vmware-tanzu/sonobuoy/pkg/client/results"
	"github.com/vmware-tanzu/sonobuoy/pkg/plugin/loader"
	"github.com/vmware-tanzu/sonobuoy/pkg/plugin/manifest"
	helper "github.com/vmware-tanzu/sonobuoy/pkg/plugin/manifest/helper"
	corev1 "k8s.io/api/core/v1"
)

// Plugin is a plugin as its authors define it.
type Plugin struct {
	Name   string
	Driver string // "job" or "daemonset"
	def    manifest.Manifest
}

// mostPlugin bounds a definition, which a plan carries whole.
const mostPlugin = 256 << 10

var pluginName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$`)

// Parse reads the definition of a plugin, and refuses what Sonobuoy would take and then
// never run.
func Parse(text []byte) (Plugin, error) {
	if len(text) > mostPlugin {
		return Plugin{}, fmt.Errorf("reading the plugin: more than %d bytes", mostPlugin)
	}
	if bytes.Contains(text, []byte("\n---\n")) {
		return Plugin{}, errors.New("reading the plugin: it has several documents, and Sonobuoy reads the first alone")
	}
	def, err := loader.LoadDefinition(text)
	if err != nil {
		return Plugin{}, fmt.Errorf("reading the plugin: %w", err)
	}
	p := Plugin{Name: def.SonobuoyConfig.PluginName, Driver: strings.ToLower(def.SonobuoyConfig.Driver), def: def}
	switch {
	case !pluginName.MatchString(p.Name):
		return Plugin{}, fmt.Errorf("reading the plugin: plugin-name %.80q is not made of up to 42 lower-case letters, digits and dashes", p.Name)
	case p.Driver != "job" && p.Driver != "daemonset":
		return Plugin{}, fmt.Errorf("reading the plugin: driver %.80q is neither Job nor DaemonSet", def.SonobuoyConfig.Driver)
	case def.Spec.Image == "":
		return Plugin{}, errors.New("reading the plugin: its spec names no image")
	}
	return p, nil
}

// suites tells whether the plugin's files are JUnit's.
func (p Plugin) suites() bool {
	format := p.def.SonobuoyConfig.ResultFormat
	return format == results.ResultFormatJUnit || format == results.ResultFormatE2E
}

// Conformance is the plugin that runs the conformance image on a node. It is not Sonobuoy's own:
// that one skips what is [Disruptive] by default, knows the tests of few versions, and forgets
// to tell the progress when anything else is asked of the suite.
func Conformance(image, node string, env map[string]string) ([]byte, error) {
	def := manifest.Manifest{SonobuoyConfig: manifest.SonobuoyConfig{PluginName: "e2e", Driver: "Job", ResultFormat: "junit"}}
	def.Spec.Container = corev1.Container{Name: "e2e", Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Command: []string{"kubeconformance"}}
	for _, name := range sortedKeys(env) {
		if env[name] == "" {
			continue // the image's own way, and Sonobuoy would take it out
		}
		value := env[name]
		if name == "E2E_EXTRA_ARGS" {
			value += " --progress-report-url=http://localhost:8099/progress"
		}
		def.Spec.Env = append(def.Spec.Env, corev1.EnvVar{Name: name, Value: value})
	}
	def.PodSpec = &manifest.PodSpec{PodSpec: corev1.PodSpec{
		ServiceAccountName: "sonobuoy-serviceaccount", RestartPolicy: corev1.RestartPolicyNever,
		Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
	}}
	if node != "" {
		def.PodSpec.NodeSelector = map[string]string{corev1.LabelHostname: node}
	}
	text, err := helper.ToYAML(&def, true)
	if err != nil {
		return nil, fmt.Errorf("writing the conformance plugin: %w", err)
	}
	return text, nil
}

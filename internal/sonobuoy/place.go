package sonobuoy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/vmware-tanzu/sonobuoy/pkg/client"
	"github.com/vmware-tanzu/sonobuoy/pkg/config"
	"github.com/vmware-tanzu/sonobuoy/pkg/dynamic"
	"github.com/vmware-tanzu/sonobuoy/pkg/plugin/manifest"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/qualify-dev/qualify/internal/inpod"
)

// place starts the run, or finds the one that an earlier process has left. One of
// another job is removed first.
func (w *work) place(ctx context.Context) error {
	objects, err := w.objects()
	if err != nil {
		return err
	}
	w.made = madeOf(objects, w.Lease, w.namespace())
	ctx, cancel := context.WithTimeoutCause(ctx, w.Times.Startup, fmt.Errorf("the cluster did not take it within %s", w.Times.Startup))
	defer cancel()
	pods := w.api.CoreV1().Pods(w.namespace())
	found, err := pods.Get(ctx, aggregator, metav1.GetOptions{})
	if err == nil && found.Labels[inpod.LeaseLabel] == w.Lease && found.Annotations[jobNote] == w.Job && found.DeletionTimestamp == nil {
		w.started = found
		return nil
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	if err := w.clear(ctx); err != nil {
		return err
	}
	if err := w.within(ctx, func() error { return w.create(objects) }); err != nil {
		return err
	}
	w.started, err = pods.Get(ctx, aggregator, metav1.GetOptions{})
	return err
}

// clear removes what is left of the lease's earlier runs. Sonobuoy itself takes a
// namespace that is there for its own, whosever it is.
func (w *work) clear(ctx context.Context) error {
	found, err := w.api.CoreV1().Namespaces().Get(ctx, w.namespace(), metav1.GetOptions{})
	if err == nil && found.Labels[inpod.LeaseLabel] != w.Lease {
		return fmt.Errorf("the namespace %s is there and is not of lease %s: remove it if nobody needs it", w.namespace(), w.Lease)
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return w.made.Remove(ctx, w.api, w.Times)
}

// manifest is what Sonobuoy would create, with the lease on everything.
func (w *work) objects() ([]*unstructured.Unstructured, error) {
	settings := config.New()
	settings.Namespace, settings.WorkerImage = w.namespace(), w.Image
	settings.CustomAnnotations = map[string]string{jobNote: w.Job}
	// What else there is in the cluster is not asked for: an archive holds secrets
	// enough, and is long.
	settings.Resources, settings.Limits.PodLogs.Namespaces = []string{}, "^"+w.namespace()+"$"
	if w.Budget > 0 {
		settings.Aggregation.TimeoutSeconds = int(w.Budget / time.Second)
	}
	plugin := w.plugin.def
	generate := &client.GenConfig{
		Config: settings, EnableRBAC: true, ImagePullPolicy: string(corev1.PullIfNotPresent), KubeVersion: w.Kubernetes,
		StaticPlugins: []*manifest.Manifest{&plugin},
	}
	if w.Node != "" {
		generate.NodeSelectors = map[string]string{corev1.LabelHostname: w.Node}
	}
	sonobuoy, err := client.NewSonobuoyClient(w.config, nil)
	if err != nil {
		return nil, err
	}
	text, err := sonobuoy.GenerateManifest(generate)
	if err != nil {
		return nil, fmt.Errorf("making Sonobuoy's manifest: %w", err)
	}
	return labelled(string(text), w.Lease)
}

// labelled reads the objects of a manifest and puts the lease on each.
func labelled(text, lease string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	in := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := in.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading Sonobuoy's manifest: %w", err)
		}
		if len(object.Object) == 0 {
			continue
		}
		labels := object.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[inpod.LeaseLabel] = lease
		object.SetLabels(labels)
		objects = append(objects, object)
	}
	if len(objects) == 0 {
		return nil, errors.New("reading Sonobuoy's manifest: there is nothing in it")
	}
	return objects, nil
}

func madeOf(objects []*unstructured.Unstructured, lease, namespace string) inpod.Made {
	made := inpod.Made{Lease: lease, Namespace: namespace}
	for _, o := range objects {
		switch o.GetKind() {
		case "ClusterRoleBinding":
			made.Bindings = append(made.Bindings, o.GetName())
		case "ClusterRole":
			made.Roles = append(made.Roles, o.GetName())
		}
	}
	return made
}

// create makes the objects as Sonobuoy's own client does.
func (w *work) create(objects []*unstructured.Unstructured) error {
	helper, err := dynamic.NewAPIHelperFromRESTConfig(w.quick)
	if err != nil {
		return err
	}
	sonobuoy, err := client.NewSonobuoyClient(w.quick, helper)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, o := range objects {
		one, err := sigsyaml.Marshal(o.Object)
		if err != nil {
			return err
		}
		text.WriteString("---\n" + string(one))
	}
	return sonobuoy.RunManifest(&client.RunConfig{GenConfig: client.GenConfig{Config: &config.Config{Namespace: w.namespace()}}}, []byte(text.String()))
}

// within waits for what takes no context, and goes on without it when that has
// ended: each of its requests has a time, so it ends too.
func (w *work) within(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

package specs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	configMount = "/etc/settings"
	secretMount = "/etc/keys"
	// kubeletSync is how long an update may take to reach a volume: a kubelet
	// that is not poked syncs a pod every 60 to 90 seconds.
	kubeletSync = 4 * time.Minute
)

// configMapUpdates changes a ConfigMap under a running pod: the files follow,
// both keys at once, in the same container; its environment stays.
func configMapUpdates(ctx context.Context, e *env) {
	maps := e.client().CoreV1().ConfigMaps(e.namespace())
	data := map[string]string{"mode": "before", "level": "1"}
	_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: data}, metav1.CreateOptions{})
	e.ok(err, "creating config map")
	pod := e.start(ctx, configured(e.image))[0]
	first, err := e.files(ctx, pod.Name)
	e.ok(err, "reading the mounted files")
	e.Expect(first).To(gomega.Equal("before 1"), "files at first")
	e.Expect(e.environment(ctx, pod.Name)).To(gomega.HaveKeyWithValue("MODE", "before"), "environment at first")

	patch := []byte(`{"data":{"mode":"after","level":"2"}}`)
	_, err = maps.Patch(ctx, "settings", types.MergePatchType, patch, metav1.PatchOptions{})
	e.ok(err, "changing the config map")
	changed := time.Now()
	e.until(ctx, kubeletSync, "the mounted files have the new values", func(ctx context.Context) error {
		if err := e.poke(ctx, pod.Name); err != nil {
			return err
		}
		got, err := e.files(ctx, pod.Name)
		switch {
		case err != nil || got == "after 2":
			return err
		case got == "before 1":
			return fmt.Errorf("still the old values, %s after the change", time.Since(changed).Round(time.Second))
		default:
			return final("neither the old nor the new values: %q", got)
		}
	})

	e.Expect(e.environment(ctx, pod.Name)).To(gomega.HaveKeyWithValue("MODE", "before"), "environment after the change")
	now, err := e.pod(ctx, pod.Name)
	e.ok(err, "reading the pod")
	e.Expect(now.Status.ContainerStatuses[0].ContainerID).To(gomega.Equal(pod.Status.ContainerStatuses[0].ContainerID),
		"container, which must not have been replaced")
}

// configured is a pod with a ConfigMap as files and one key in its environment.
func configured(image string) *corev1.Pod {
	p := named("reader", agnhost(image, nil, "pause"))
	source := corev1.LocalObjectReference{Name: "settings"}
	mount(p, configMount, corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: source}})
	p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "MODE", ValueFrom: &corev1.EnvVarSource{
		ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: source, Key: "mode"},
	}}}
	return p
}

func mount(p *corev1.Pod, path string, source corev1.VolumeSource) {
	p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "data", VolumeSource: source})
	c := &p.Spec.Containers[0]
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "data", MountPath: path, ReadOnly: true})
}

// files reads both keys through one resolved directory, so that values from
// before and after the change can only meet if the kubelet mixed them.
func (e *env) files(ctx context.Context, pod string) (string, error) {
	return e.sh(ctx, pod, fmt.Sprintf(`cd -P %s/..data && echo "$(cat mode) $(cat level)"`, configMount))
}

// environment is that of the container's first process. A command run in the
// container would be given the same, but by the runtime, and afresh.
func (e *env) environment(ctx context.Context, pod string) map[string]string {
	out, err := e.sh(ctx, pod, "cat /proc/1/environ")
	e.ok(err, "reading the environment")
	return readEnviron(out)
}

func readEnviron(raw string) map[string]string {
	env := map[string]string{}
	for _, pair := range strings.Split(raw, "\x00") {
		if name, value, found := strings.Cut(pair, "="); found {
			env[name] = value
		}
	}
	return env
}

// poke changes an annotation, upon which the kubelet syncs the pod at once and
// not only at its next turn.
func (e *env) poke(ctx context.Context, pod string) error {
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"qualify.dev/poke":%q}}}`, time.Now().Format(time.RFC3339Nano))
	_, err := e.client().CoreV1().Pods(e.namespace()).Patch(ctx, pod, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("annotating pod %s: %w", pod, err)
	}
	return nil
}

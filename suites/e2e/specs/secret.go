package specs

import (
	"context"
	"fmt"
	"strings"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// secretIsMounted mounts a Secret with binary content: each byte arrives, each
// file has the mode asked for, the volume is in memory and never on a disk of
// the node, and a key is in the environment too.
func secretIsMounted(ctx context.Context, e *env) {
	blob := make([]byte, 256)
	for i := range blob {
		blob[i] = byte(i)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "keys"},
		Data:       map[string][]byte{"token": []byte("s3cret value"), "blob": blob},
	}
	_, err := e.client().CoreV1().Secrets(e.namespace()).Create(ctx, secret, metav1.CreateOptions{})
	e.ok(err, "creating secret")
	pod := e.start(ctx, keyed(e.image))[0].Name

	got, err := e.exec(ctx, pod, nil, "cat", secretMount+"/blob")
	e.ok(err, "reading the mounted file")
	e.Expect([]byte(got.stdout)).To(gomega.Equal(blob), "content of the mounted file")
	e.Expect(e.environment(ctx, pod)).To(gomega.HaveKeyWithValue("TOKEN", "s3cret value"), "environment")

	modes, err := e.sh(ctx, pod, fmt.Sprintf("stat -L -c '%%n %%a' %[1]s/blob %[1]s/inner/token", secretMount))
	e.ok(err, "reading the files' modes")
	e.Expect(strings.Split(modes, "\n")).To(gomega.Equal([]string{secretMount + "/blob 440", secretMount + "/inner/token 400"}), "modes")
	mounts, err := e.sh(ctx, pod, "cat /proc/mounts")
	e.ok(err, "reading the mounts")
	e.Expect(mountType(mounts, secretMount)).To(gomega.Equal("tmpfs"), "file system of the mounted secret")
}

// keyed is a pod with a Secret as files, one of them in a folder and with its
// own mode, and a key in its environment.
func keyed(image string) *corev1.Pod {
	p := named("holder", agnhost(image, nil, "pause"))
	mount(p, secretMount, corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
		SecretName:  "keys",
		DefaultMode: ptr.To(int32(0o440)),
		Items: []corev1.KeyToPath{
			{Key: "blob", Path: "blob"},
			{Key: "token", Path: "inner/token", Mode: ptr.To(int32(0o400))},
		},
	}})
	p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{
		SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "keys"}, Key: "token"},
	}}}
	return p
}

// mountType is the file system type of a mount point in /proc/mounts, or "".
// The last entry counts: it hides earlier ones.
func mountType(mounts, path string) string {
	found := ""
	for line := range strings.Lines(mounts) {
		if f := strings.Fields(line); len(f) > 2 && f[1] == path {
			found = f[2]
		}
	}
	return found
}

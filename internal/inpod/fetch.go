package inpod

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/streaming/pkg/httpstream"
)

// mostFile bounds a file of the pod; a log of the whole suite has a tenth of it.
const mostFile = 100 << 20

// fetch brings the files home, and makes sure that the programs which made them
// are the release's.
func (w *work) fetch(ctx context.Context, pod string) (Files, error) {
	program, err := w.sum(ctx, pod, "/usr/local/bin/e2e.test")
	if err != nil {
		return Files{}, err
	}
	if program != w.Program {
		return Files{}, fmt.Errorf("the image %s has an e2e.test with sha256 %s, the release has %s", w.Image, program, w.Program)
	}
	var files Files
	if files.Log, err = w.file(ctx, pod, results+"/e2e.log"); err != nil {
		return Files{}, err
	}
	files.JUnit, err = w.file(ctx, pod, results+"/junit_01.xml")
	return files, err
}

// file reads one file, whose size and digest are asked for apart: a connection
// that breaks may look like the end of a file.
func (w *work) file(ctx context.Context, pod, path string) ([]byte, error) {
	want, err := w.sum(ctx, pod, path)
	if err != nil {
		return nil, err
	}
	size, err := w.size(ctx, pod, path)
	if err != nil {
		return nil, err
	}
	return w.persist(ctx, func() ([]byte, error) {
		data, err := w.exec(ctx, pod, "cat", path)
		if err != nil {
			return nil, err
		}
		got := sha256.Sum256(data)
		if len(data) != size || hex.EncodeToString(got[:]) != want {
			return nil, fmt.Errorf("reading %s: got %d bytes with sha256 %x, the pod has %d with %s", path, len(data), got, size, want)
		}
		return data, nil
	})
}

func (w *work) sum(ctx context.Context, pod, path string) (string, error) {
	said, err := w.persist(ctx, func() ([]byte, error) { return w.exec(ctx, pod, "sha256sum", path) })
	if err != nil {
		return "", err
	}
	sum, _, _ := strings.Cut(string(said), " ")
	if _, err := hex.DecodeString(sum); err != nil || len(sum) != 2*sha256.Size {
		return "", fmt.Errorf("hashing %s: the pod answered %.100q", path, said)
	}
	return sum, nil
}

func (w *work) size(ctx context.Context, pod, path string) (int, error) {
	said, err := w.persist(ctx, func() ([]byte, error) { return w.exec(ctx, pod, "wc", "-c", path) })
	if err != nil {
		return 0, err
	}
	digits, _, _ := strings.Cut(strings.TrimSpace(string(said)), " ")
	size, err := strconv.Atoi(digits)
	if err != nil || size < 0 {
		return 0, fmt.Errorf("measuring %s: the pod answered %.100q", path, said)
	}
	if size > mostFile {
		return 0, fmt.Errorf("%s has %d bytes, more than %d", path, size, mostFile)
	}
	return size, nil
}

// persist repeats what a broken connection fails, as long as there is patience.
// What the pod itself refuses is not asked again.
func (w *work) persist(ctx context.Context, do func() ([]byte, error)) ([]byte, error) {
	for start := time.Now(); ; {
		data, err := do()
		var refused interface{ ExitStatus() int }
		if err == nil || errors.As(err, &refused) || ctx.Err() != nil || time.Since(start) > w.Times.Patience {
			return data, err
		}
		if stopped := w.pause(ctx); stopped != nil {
			return nil, errors.Join(err, stopped)
		}
	}
}

// exec runs a command in the container that keeps the files.
func (w *work) exec(ctx context.Context, pod string, argv ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.Times.Patience, fmt.Errorf("it took longer than %s", w.Times.Patience))
	defer cancel()
	return Exec(ctx, w.config, Place{w.namespace(), pod, filesContainer}, argv...)
}

// Place is a container of a pod.
type Place struct{ Namespace, Pod, Container string }

// Exec runs a command in a container and returns what it prints. A command that
// fails gives an error that has an ExitStatus. What a broken connection
// has cut off is no error: who must know has to ask for a size.
func Exec(ctx context.Context, config *rest.Config, at Place, argv ...string) ([]byte, error) {
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	request := api.CoreV1().RESTClient().Post().Resource("pods").Namespace(at.Namespace).Name(at.Pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: at.Container, Command: argv, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	socket, err := remotecommand.NewWebSocketExecutor(config, "GET", request.URL().String())
	if err != nil {
		return nil, err
	}
	spdy, err := remotecommand.NewSPDYExecutor(config, "POST", request.URL())
	if err != nil {
		return nil, err
	}
	either, err := remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	if err != nil {
		return nil, err
	}
	var out, complaint bounded
	if err = either.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &complaint}); err != nil {
		return nil, fmt.Errorf("in the pod, %s: %w: %s", strings.Join(argv, " "), err, bytes.TrimSpace(complaint.Bytes()))
	}
	return out.Bytes(), nil
}

// bounded keeps no more than a file may have.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > mostFile {
		return 0, fmt.Errorf("more than %d bytes: %w", mostFile, io.ErrShortBuffer)
	}
	return b.Buffer.Write(p)
}

package specs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"

	clientexec "k8s.io/client-go/util/exec"
	e2epod "k8s.io/kubernetes/test/e2e/framework/pod"
)

// result is what a command in a container did.
type result struct {
	stdout, stderr string
	code           int
}

// exec runs a command in a pod. An error means that it could not be run; that
// it ran and failed is its exit code.
func (e *env) exec(ctx context.Context, pod string, stdin io.Reader, command ...string) (result, error) {
	stdout, stderr, err := e2epod.ExecWithOptionsContext(ctx, e.f, e2epod.ExecOptions{
		Command: command, Namespace: e.namespace(), PodName: pod, ContainerName: container,
		Stdin: stdin, CaptureStdout: true, CaptureStderr: true, PreserveWhitespace: true, Quiet: true,
	})
	r := result{stdout: stdout, stderr: stderr}
	var exit clientexec.CodeExitError
	switch {
	case err == nil:
		return r, nil
	case errors.As(err, &exit):
		r.code = exit.ExitStatus()
		return r, nil
	default:
		return r, fmt.Errorf("exec in pod %s: %w", pod, err)
	}
}

// sh runs a shell script in a pod and returns its output without the last line
// end. A failed script is an error that shows both streams.
func (e *env) sh(ctx context.Context, pod, script string) (string, error) {
	r, err := e.exec(ctx, pod, nil, "/bin/sh", "-c", script)
	if err != nil {
		return "", err
	}
	if r.code != 0 {
		return "", fmt.Errorf("in pod %s, %q exited %d, stdout %q, stderr %q", pod, script, r.code, r.stdout, r.stderr)
	}
	return strings.TrimRight(r.stdout, "\n"), nil
}

// get fetches a URL from inside a pod. The body of an error answer is kept:
// agnhost explains itself there.
func (e *env) get(ctx context.Context, pod, url string) (string, error) {
	return e.sh(ctx, pod, fmt.Sprintf("curl -sS --fail-with-body --max-time 5 '%s'", url))
}

// getMany is a script of n requests, one answer per line. It ends at the first
// failed request, whose error is then the last line: with an address that
// drops packets all the others would time out too.
func getMany(url string, n int) string {
	return fmt.Sprintf("i=0; while [ $i -lt %d ]; do curl -sS --fail --max-time 3 '%s' 2>&1 || break; echo; i=$((i+1)); done", n, url)
}

// tally counts equal, non-empty lines.
func tally(output string) map[string]int {
	counts := map[string]int{}
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); line != "" {
			counts[line]++
		}
	}
	return counts
}

// endpoint is the URL of a server's path at an address.
func endpoint(ip string, port int, path string) string {
	return "http://" + net.JoinHostPort(ip, strconv.Itoa(port)) + path
}

// dialUDP is the URL at which a server, asked from its own pod, sends one UDP
// request to another address and tells the answer.
func dialUDP(ip, request string) string {
	q := url.Values{"protocol": {"udp"}, "host": {ip}, "port": {strconv.Itoa(udpPort)}, "request": {request}, "tries": {"1"}}
	return fmt.Sprintf("http://localhost:%d/dial?%s", httpPort, q.Encode())
}

// dialled reads the answer to dialUDP: exactly one, and no error.
func dialled(answer string) (string, error) {
	var got struct {
		Responses []string `json:"responses"`
		Errors    []string `json:"errors"`
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		return "", fmt.Errorf("reading answer %q: %w", answer, err)
	}
	if len(got.Errors) > 0 || len(got.Responses) != 1 {
		return "", fmt.Errorf("one answer expected, got %q and errors %q", got.Responses, got.Errors)
	}
	return got.Responses[0], nil
}

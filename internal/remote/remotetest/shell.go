package remotetest

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// Shell runs commands on this machine, as a login shell does, with more
// variables in their environment.
func Shell(env ...string) func(Command) int {
	return func(c Command) int {
		cmd := exec.Command("sh", "-c", c.Line)
		cmd.Env = append(os.Environ(), env...)
		cmd.Stdout, cmd.Stderr = c.Stdout, c.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		in, err := cmd.StdinPipe()
		if err != nil {
			return 255
		}
		if err := cmd.Start(); err != nil {
			return 255
		}
		go func() {
			_, _ = io.Copy(in, c.Stdin)
			_ = in.Close()
		}()
		ended := make(chan struct{})
		go func() {
			select {
			case <-c.Gone:
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			case <-ended:
			}
		}()
		err = cmd.Wait()
		close(ended)
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		if err != nil {
			return 255
		}
		return 0
	}
}

//go:build unix

package release

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes the lock of an open file if nobody has it. The kernel drops
// it when its holder dies.
func lockFile(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

//go:build !unix

package release

import "os"

// lockFile has no lock to take here: one process at a time.
func lockFile(*os.File) (bool, error) { return true, nil }

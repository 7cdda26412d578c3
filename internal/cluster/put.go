package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"
)

// cleanTime bounds the removal of what an ended Put has left.
const cleanTime = 10 * time.Second

// Put writes r to file by commands on the node: a Transport's Put, for those
// that have nothing better. The file is whole or as it was.
func Put(ctx context.Context, exec func(context.Context, Cmd) (Output, error), file string, mode fs.FileMode, r io.Reader) error {
	scratch := file + ".put-" + rand.Text()
	_, err := exec(ctx, Cmd{
		Argv:  []string{"sh", "-euc", `mkdir -p "$1"; umask 077; cat > "$2"`, "put", path.Dir(file), scratch},
		Stdin: r,
	})
	if err == nil {
		// In a second command: to the first, a sender that died is the end of
		// the file.
		_, err = exec(ctx, Command("sh", "-euc", `chmod "$1" "$2"; mv -T "$2" "$3"`, "put", fmt.Sprintf("%#o", mode.Perm()), scratch, file))
	}
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	_, rmErr := exec(ctx, Command("rm", "-f", scratch))
	return fmt.Errorf("writing %s: %w", file, errors.Join(err, rmErr))
}

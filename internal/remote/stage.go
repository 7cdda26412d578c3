package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// stageTries is how often a transfer is taken up again after the connection
// was lost.
const stageTries = 5

// Stage copies a local file of a known digest to a place on the host. What is
// there already is not sent again, also not the half of it that an earlier
// attempt has left; nothing has the name before its digest is right.
func (r Root) Stage(ctx context.Context, local, sha256, to string) error {
	var err error
	for range stageTries {
		if err = r.stage(ctx, local, sha256, to); err == nil || !errors.Is(err, ErrLost) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("staging %s: %w", to, err)
	}
	return nil
}

// begun says how much of the file is there: "done", or the bytes of its part.
// A part that is longer than the file is none of it.
const begun = `if [ -f "$1" ] && echo "$2  $1" | sha256sum -c --status; then echo done; exit; fi
mkdir -p "${1%/*}"
if [ -f "$1.part" ]; then n=$(stat -c %s "$1.part"); else n=0; fi
if [ "$n" -gt "$3" ]; then rm -f "$1.part"; n=0; fi
echo "$n"`

const finish = `if echo "$2  $1.part" | sha256sum -c --status; then mv -T "$1.part" "$1"; else rm -f "$1.part"; echo "the copy has another digest" >&2; exit 1; fi`

func (r Root) stage(ctx context.Context, local, sha256, to string) (err error) {
	f, err := os.Open(local)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	out, err := r.Exec(ctx, cluster.Command("sh", "-euc", begun, "stage", to, sha256, strconv.FormatInt(info.Size(), 10)))
	if err != nil {
		return err
	}
	said := strings.TrimSpace(string(out.Stdout))
	if said == "done" {
		return nil
	}
	offset, err := strconv.ParseInt(said, 10, 64)
	if err != nil || offset < 0 || offset > info.Size() {
		return fmt.Errorf("host %s answers %q where the size of a file was asked for", r.host.Name(), said)
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	if _, err := r.Exec(ctx, cluster.Cmd{Argv: []string{"sh", "-euc", `umask 077; cat >> "$1.part"`, "stage", to}, Stdin: f}); err != nil {
		return err
	}
	_, err = r.Exec(ctx, cluster.Command("sh", "-euc", finish, "stage", to, sha256))
	return err
}

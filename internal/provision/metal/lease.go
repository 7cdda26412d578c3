package metal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/remote"
)

// home is the directory on a host in which everything of ours is. Its being
// there is the lock: who has made it holds the host.
const home = "/var/lib/qualify"

// claim is what stands in a host's home.
type claim struct {
	Lease   provision.Lease
	Created time.Time
	// Hosts are the names of all hosts that the lease takes: from one of them it
	// is known which others are to be given back.
	Hosts []string `json:",omitempty"`
}

// errHeld marks a host that somebody holds.
var errHeld = errors.New("the host is held")

// taking makes the home with all that says whose it is, in one step: there is
// never a host that is held by nobody. A rename onto a directory that is not
// empty fails, whoever made that.
const taking = `new="$1-$2"; rm -rf "$new" "$1-gone"; mkdir -m 700 "$new"; cat > "$new/lease.json"; echo "$2" > "$new/name"
sync -f "$new" 2>/dev/null || sync
if mv -T "$new" "$1" 2>/dev/null; then sync -f "$1" 2>/dev/null || sync; exit 0; fi
rm -rf "$new"; echo held; head -c 8192 "$1/lease.json" 2>/dev/null`

// takeTime bounds the taking of a host that does not answer.
const takeTime = 30 * time.Second

// workMark is a variable in the environment of all that a lease's Up runs.
const workMark = "QUALIFY_WORK"

// worker is guard for what makes or uses the node: its commands can be found
// again on the host, and ended.
func worker(lease provision.Lease) remote.Guard {
	g := guard(lease)
	g.Mark = workMark + "=" + lease.Name
	return g
}

// take takes a host for a lease, or says who has it. hosts are all that the
// lease takes.
func take(ctx context.Context, root remote.Root, lease provision.Lease, hosts ...string) error {
	text, err := json.Marshal(claim{Lease: lease, Created: time.Now().UTC().Truncate(time.Second), Hosts: hosts})
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// To its end, also where ctx ends first: a host that is taken after Down has
	// looked would be nobody's.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeTime)
	defer cancel()
	out, err := root.Exec(ctx, cluster.Cmd{Argv: []string{"sh", "-euc", taking, "take", home, lease.Name}, Stdin: bytes.NewReader(text)})
	if err != nil {
		return err
	}
	said, held := strings.CutPrefix(string(out.Stdout), "held\n")
	if !held {
		return nil
	}
	by, err := readClaim([]byte(said))
	if err != nil {
		return fmt.Errorf("%w by something that %s/lease.json does not explain: %w; look there, and remove %s if it is nobody's", errHeld, home, err, home)
	}
	return fmt.Errorf("%w by lease %s of run %s, by %s until %s: wait for it, or end it with qualify gc --run %s",
		errHeld, by.Lease.Name, by.Lease.Run, by.Lease.Owner, by.Lease.Expires.Format(time.RFC3339), by.Lease.Run)
}

// readClaim reads what a host says of itself.
func readClaim(text []byte) (claim, error) {
	var c claim
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return c, fmt.Errorf("reading a host's lease: %w", err)
	}
	if c.Lease.Name == "" {
		return c, errors.New("reading a host's lease: it has no name")
	}
	return c, nil
}

// holder asks a host who holds it; nil where nobody does.
func holder(ctx context.Context, root remote.Root) (*claim, error) {
	out, err := root.Exec(ctx, cluster.Command("sh", "-euc", `if [ -d "$1" ]; then echo held; head -c 8192 "$1/lease.json"; fi`, "holder", home))
	if err != nil {
		return nil, err
	}
	said, held := strings.CutPrefix(string(out.Stdout), "held\n")
	if !held {
		return nil, nil
	}
	c, err := readClaim([]byte(said))
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// guard lets commands run only while the lease holds the host. A handle that
// somebody kept must not touch a machine that was given back, or to another.
func guard(lease provision.Lease) remote.Guard {
	return remote.Guard{
		Script:  fmt.Sprintf(`read -r held < %s/name && [ "$held" = %s ]`, home, cluster.Command(lease.Name)),
		Refusal: fmt.Sprintf("the host is not held by lease %s", lease.Name),
	}
}

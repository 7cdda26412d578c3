package cluster

import (
	"context"
	"fmt"
	"strings"
)

// bootScript prints what is another after each boot: the kernel's id of it, and
// when the first process was started, since a container shares the kernel.
const bootScript = `cat /proc/sys/kernel/random/boot_id; sed 's/.*) //' /proc/1/stat | cut -d ' ' -f 20`

// Boot tells one boot of a node from another.
func Boot(ctx context.Context, t Transport) (string, error) {
	out, err := t.Exec(ctx, Script(bootScript))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(out.Stdout))
	if len(fields) != 2 {
		return "", fmt.Errorf("a node says %q of its boot", out.Stdout)
	}
	return fields[0] + "/" + fields[1], nil
}

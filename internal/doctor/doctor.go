// Package doctor tells whether this host can bring clusters up, and what to do
// where it cannot. It looks, and changes nothing.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Status is what a check found.
type Status string

// The statuses. A warning is for what works now but may not for every plan.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Check is one thing looked at. Every check that is not OK has a remedy: one
// line that says what to do.
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// ErrUnfit is the error of a host on which qualify cannot work. It is about
// the infrastructure, never about a release.
var ErrUnfit = errors.New("this host is not fit")

const setup = "run hack/setup as root"

// Run makes every check, in a fixed order. None stops the others: all that is
// wrong is told at once.
func Run(ctx context.Context, options Options) []Check {
	o := options.withDefaults()
	engine := o.inspectEngine(ctx)
	return []Check{
		o.checkClient(),
		checkEngine(engine),
		checkStorage(engine),
		o.checkCapabilities(engine),
		o.checkCgroups(),
		o.checkDisk("disk-cache", o.CacheDir),
		o.checkEngineDisk(engine),
		o.checkMemory(),
		o.checkCPUs(),
		o.checkInotify(),
		o.checkGo(ctx),
		o.checkModules(ctx),
		o.checkDebootstrap(),
	}
}

// Unfit is an ErrUnfit that names the checks that failed, nil when none did.
// No checks at all are no proof of fitness.
func Unfit(checks []Check) error {
	if len(checks) == 0 {
		return fmt.Errorf("%w: nothing was checked", ErrUnfit)
	}
	var failed []string
	for _, c := range checks {
		if c.Status == Fail {
			failed = append(failed, c.Name)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUnfit, strings.Join(failed, ", "))
}

func ok(name, format string, args ...any) Check {
	return Check{Name: name, Status: OK, Detail: fmt.Sprintf(format, args...)}
}

// found is a check that is not OK.
func found(status Status, name, detail, remedy string) Check {
	return Check{Name: name, Status: status, Detail: detail, Remedy: remedy}
}

// unknown is a check that could not be made. It is a warning: what stopped it
// is a failure of its own wherever it matters.
func unknown(name string, why error, remedy string) Check {
	return found(Warn, name, "not known: "+oneLine(why.Error()), remedy)
}

// oneLine makes what other programs said fit a table's cell.
func oneLine(text string) string {
	const most = 240
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

package metal

import (
	"context"

	"github.com/qualify-dev/qualify/internal/provision"
)

// Check looks at all hosts of an inventory as Up does before it takes some,
// and returns their names. A *PreflightError tells what is wrong with them;
// the inventory's own mistakes are strict.Problems.
func Check(ctx context.Context, cfg provision.Config, os string) ([]string, error) {
	inv, err := open(cfg.Inventory)
	if err != nil {
		return nil, err
	}
	p := &provisioner{cfg: cfg, inv: inv}
	machines, end, err := p.connect(inv.Hosts)
	defer end()
	if err != nil {
		return nil, err
	}
	if err := preflight(ctx, machines, want{os: os}); err != nil {
		return nil, err
	}
	var names []string
	for _, m := range machines {
		names = append(names, m.Name)
	}
	return names, nil
}

package metal

import (
	"context"

	"github.com/qualify-dev/qualify/internal/provision"
)

// Check looks at all hosts of an inventory as Up does before it takes some,
// and returns their names. A *PreflightError tells what is wrong with them;
// the inventory's own mistakes are strict.Problems. Beside either are the keys
// that were trusted on first use, a line each.
func Check(ctx context.Context, cfg provision.Config, os string) (names, trusted []string, err error) {
	inv, err := open(cfg.Inventory)
	if err != nil {
		return nil, trusted, err
	}
	p := provisionerOf(cfg, inv)
	machines, end, err := p.connect(inv.Hosts)
	defer end()
	if p.first != nil {
		defer func() { trusted = p.first.Trusted() }()
	}
	if err != nil {
		return nil, trusted, err
	}
	if err := preflight(ctx, machines, want{os: os}); err != nil {
		return nil, trusted, err
	}
	for _, m := range machines {
		names = append(names, m.Name)
	}
	return names, trusted, nil
}

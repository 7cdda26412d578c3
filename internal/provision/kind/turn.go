package kind

import (
	"context"
	"os"
	"strings"
	"sync"

	"sigs.k8s.io/kind/pkg/log"
)

// networkVariable is how kind's library is told which network to use: the
// process's own environment, which clusters that are made at the same time
// have to take turns with.
const networkVariable = "KIND_EXPERIMENTAL_DOCKER_NETWORK"

// turn is held by whoever has set the variable.
var turn = make(chan struct{}, 1)

// onNetwork runs a creation that uses a network. The turn ends as soon as the
// library has read the variable, which it says with a warning that names it;
// should a version of it say nothing, it ends with the creation.
func onNetwork(ctx context.Context, network string, logger log.Logger, run func(log.Logger) error) error {
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	end := sync.OnceFunc(func() { <-turn })
	defer end()
	if err := os.Setenv(networkVariable, network); err != nil {
		return err
	}
	return run(listening{logger, end})
}

// listening hears the library say that it has read the variable.
type listening struct {
	log.Logger
	end func()
}

// Warn is part of kind's Logger.
func (l listening) Warn(text string) {
	if strings.Contains(text, networkVariable) {
		l.end()
	}
	l.Logger.Warn(text)
}

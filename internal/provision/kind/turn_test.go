package kind

import (
	"bytes"
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/log"
)

const overriding = "WARNING: Overriding docker network due to " + networkVariable

// Of many creations at a time, each reads its own network.
func TestEachReadsItsOwnNetwork(t *testing.T) {
	t.Setenv(networkVariable, "")
	var wg sync.WaitGroup
	got := make([]string, 50)
	for i := range got {
		wg.Go(func() {
			err := onNetwork(context.Background(), string(rune('a'+i)), &logger{out: new(bytes.Buffer)}, func(l log.Logger) error {
				got[i] = os.Getenv(networkVariable)
				l.Warn("something else")
				l.Warn(overriding)
				l.Warn(overriding)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, network := range got {
		if network != string(rune('a'+i)) {
			t.Errorf("creation %d read %q", i, network)
		}
	}
}

// The turn ends when the variable was read, not when the cluster is there; and
// with the creation, where nothing was said. Who waits for it can be cancelled.
func TestTheTurnEnds(t *testing.T) {
	t.Setenv(networkVariable, "")
	quiet := &logger{out: new(bytes.Buffer)}
	err := onNetwork(context.Background(), "a", quiet, func(l log.Logger) error {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancelled := errors.New("cancelled")
		cancel(cancelled)
		if err := onNetwork(ctx, "b", quiet, func(log.Logger) error { t.Error("two at a time"); return nil }); !errors.Is(err, cancelled) {
			t.Errorf("who waits: %v", err)
		}
		l.Warn(overriding)
		return onNetwork(context.Background(), "c", quiet, func(log.Logger) error { return nil })
	})
	if err != nil {
		t.Error(err)
	}
	broken := errors.New("broken")
	for range 2 {
		if err := onNetwork(context.Background(), "d", quiet, func(log.Logger) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
	}
}

// The library of the version that is used says what is listened for, and reads
// the network that it was told.
func TestTheLibrarySaysThatItReadTheNetwork(t *testing.T) {
	e := newEngine(t)
	e.says("info *", `{"CgroupVersion":"1"}`, 0)
	e.on("ps *", "exit 0")
	e.on("inspect --type=image *", "exit 0")
	t.Setenv(networkVariable, "")
	var out bytes.Buffer
	spoken := &logger{out: &out}
	heard := false
	_ = onNetwork(context.Background(), "q-1-n", spoken, func(l log.Logger) error {
		provider := kindcluster.NewProvider(kindcluster.ProviderWithDocker(), kindcluster.ProviderWithLogger(heardBy{l, &heard}))
		return provider.Create("q-1")
	})
	if !heard {
		t.Errorf("it warned of nothing: calls %q, log %s", e.calls(), out.String())
	}
}

type heardBy struct {
	log.Logger
	heard *bool
}

// Warn is part of kind's Logger.
func (h heardBy) Warn(text string) {
	*h.heard = *h.heard || text == overriding
	h.Logger.Warn(text)
}

package remote

import (
	"errors"
	"sync"
)

// Most is how many hosts are worked on at a time.
const Most = 16

// Each does something with each of n hosts, at most Most at a time, and waits
// for all of them: the errors of all are what an operator needs, not the first.
func Each(n int, do func(i int) error) error {
	errs := make([]error, n)
	slots := make(chan struct{}, Most)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(i)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

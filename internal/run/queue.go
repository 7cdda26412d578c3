package run

import "sync"

// queue is the cells of one provisioner, in the order in which they are worked
// on. A cell that needs another attempt stands in line again, behind those that
// have had none: one that the infrastructure keeps failing must not keep the
// slots from all others.
type queue struct {
	mu    sync.Mutex
	cells []*execution
}

func (q *queue) take() (*execution, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.cells) == 0 {
		return nil, false
	}
	first := q.cells[0]
	q.cells = q.cells[1:]
	return first, true
}

func (q *queue) back(e *execution) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.cells = append(q.cells, e)
}

// inSlots works on the cells in their order, on as many of each provisioner at
// a time as it has slots. work tells whether the cell needs another attempt. No
// clock of a cell runs while it waits. A panic is passed on after all have
// returned.
func inSlots(cells []*execution, capacity map[string]int, work func(*execution) (again bool)) {
	queues := map[string]*queue{}
	for _, e := range cells {
		name := e.cell.Values["provisioner"]
		if queues[name] == nil {
			queues[name] = &queue{}
		}
		queues[name].back(e)
	}
	var workers sync.WaitGroup
	var first panicked
	for name, q := range queues {
		for range min(max(1, capacity[name]), len(q.cells)) {
			workers.Go(func() {
				defer first.keep()
				for e, ok := q.take(); ok; e, ok = q.take() {
					if work(e) {
						q.back(e) // this worker comes for it, if nobody else does
					}
				}
			})
		}
	}
	workers.Wait()
	first.again()
}

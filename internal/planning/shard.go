package planning

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/matrix"
)

// balance divides cells into parts of about the same time: the longest first,
// each to the part that has the least. The same cells give the same parts,
// whatever order they come in. It returns the part of each cell.
func balance(cells []run.PlanCell, parts int) []int {
	order := make([]int, len(cells))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(seconds(cells[b]), seconds(cells[a])), cmp.Compare(cells[a].ID, cells[b].ID))
	})
	part, load, count := make([]int, len(cells)), make([]int, parts), make([]int, parts)
	for _, i := range order {
		least := 0
		for p := range parts {
			if cmp.Or(cmp.Compare(load[p], load[least]), cmp.Compare(count[p], count[least])) < 0 {
				least = p
			}
		}
		part[i] = least
		load[least] += seconds(cells[i])
		count[least]++
	}
	return part
}

var shardForm = regexp.MustCompile(`^([1-9][0-9]{0,3})/([1-9][0-9]{0,3})$`)

// Shard leaves one part of the plan, e.g. "2/5". All parts together are the
// plan, and none has a cell of another.
func Shard(plan run.Plan, text string) (run.Plan, error) {
	m := shardForm.FindStringSubmatch(text)
	if m == nil {
		return plan, fmt.Errorf("--shard is %q; write e.g. 2/5", text)
	}
	which, _ := strconv.Atoi(m[1]) // at most four digits
	parts, _ := strconv.Atoi(m[2])
	if which > parts {
		return plan, fmt.Errorf("--shard is %s, and there is no part %d of %d", text, which, parts)
	}
	part := balance(plan.Cells, parts)
	cells := plan.Cells
	plan.Cells, plan.Shard = nil, text
	for i, c := range cells {
		if part[i] == which-1 {
			plan.Cells = append(plan.Cells, c)
		}
	}
	if len(plan.Cells) == 0 {
		return plan, fmt.Errorf("--shard %s is empty: the plan has only %d cells; divide it into fewer parts", text, len(cells))
	}
	return plan, nil
}

// MaxJobs is how many jobs GitHub makes of a matrix.
const MaxJobs = 256

// Job is one job of a workflow: the cells are for --only.
type Job struct {
	Name  string `json:"name"`
	Cells string `json:"cells"`
}

// Jobs is a job matrix as GitHub reads it.
type Jobs struct {
	Include []Job `json:"include"`
}

// GitHub makes a job of each cell; where these are more than GitHub makes, of
// several together.
func GitHub(plan run.Plan) Jobs {
	parts := min(len(plan.Cells), MaxJobs)
	part := balance(plan.Cells, parts)
	if parts == len(plan.Cells) { // one each, in the plan's order
		for i := range part {
			part[i] = i
		}
	}
	jobs := Jobs{Include: make([]Job, parts)}
	for i, c := range plan.Cells {
		job := &jobs.Include[part[i]]
		if job.Cells != "" {
			job.Cells += ","
		}
		job.Cells += c.ID
	}
	for i := range jobs.Include {
		job := &jobs.Include[i]
		if n := strings.Count(job.Cells, ","); n > 0 {
			job.Name = fmt.Sprintf("%d of %d: %d cells", i+1, parts, n+1)
			continue
		}
		at := slices.IndexFunc(plan.Cells, func(c run.PlanCell) bool { return c.ID == job.Cells })
		job.Name = Title(plan.Cells[at].Values)
	}
	return jobs
}

// Title is a cell's values as people read them, the well-known axes first.
func Title(values map[string]string) string {
	var words []string
	for _, axis := range matrix.AxisOrder(values) {
		words = append(words, values[axis])
	}
	return strings.Join(words, " ")
}

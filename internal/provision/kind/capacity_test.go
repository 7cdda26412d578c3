package kind

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRoom(t *testing.T) {
	plenty := machine{memory: 64 << 30, cores: 16, instances: 8192, watches: 1 << 20}
	for name, test := range map[string]struct {
		change func(*machine)
		nodes  int
		want   int
		why    string
	}{
		"cores":           {func(m *machine) { m.cores = 2 }, 3, 2, "2 cores"},
		"one core":        {func(m *machine) { m.cores = 1 }, 3, 1, "1 cores"},
		"none known":      {func(m *machine) { m.cores = 0 }, 3, 1, "0 cores"},
		"memory":          {func(m *machine) { m.memory = hostMemory + 2*3*nodeMemory + 1 }, 3, 2, "of memory are free"},
		"larger clusters": {func(m *machine) { m.memory = hostMemory + 2*3*nodeMemory + 1 }, 6, 1, "of memory are free"},
		"no memory":       {func(m *machine) { m.memory = 1 << 20 }, 3, 1, "of memory are free"},
		"instances":       {func(m *machine) { m.instances = 128 }, 3, 1, "128 inotify instances"},
		"watches":         {func(m *machine) { m.watches = 8192 }, 3, 8192 / (3 * nodeWatches), "8192 inotify watches"},
		"unlimited":       {func(m *machine) { m.watches, m.instances, m.memory = math.MaxInt64, math.MaxInt64, 1<<60 }, 0, 16, "16 cores"},
	} {
		m := plenty
		test.change(&m)
		if got := m.room(test.nodes); got.Cells != test.want || !strings.Contains(got.Why, test.why) {
			t.Errorf("%s: %+v, want %d, %q", name, got, test.want, test.why)
		}
	}
}

func TestInspectMachine(t *testing.T) {
	root := t.TempDir()
	files := map[string]string{
		"proc/meminfo":                           "MemTotal: 24000000 kB\nMemAvailable:   20000000 kB\n",
		"proc/sys/fs/inotify/max_user_instances": "8192\n", "proc/sys/fs/inotify/max_user_watches": "1048576\n",
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, name), []byte(text))
	}
	m, err := inspectMachine(root)
	if err != nil || m.memory != 20000000<<10 || m.instances != 8192 || m.watches != 1048576 || m.cores < 1 {
		t.Errorf("%+v, %v", m, err)
	}
	for name := range files {
		for _, text := range []string{"", "many\n", "MemAvailable: lots kB\n", "-1\n"} {
			write(t, filepath.Join(root, name), []byte(text))
			if m, err := inspectMachine(root); err == nil {
				t.Errorf("%s is %q: %+v", name, text, m)
			}
		}
		write(t, filepath.Join(root, name), []byte(files[name]))
	}
	if r := room(3); r.Cells < 1 || r.Why == "" {
		t.Errorf("here: %+v", r)
	}
}

package bootstrap

import "testing"

func TestLastLines(t *testing.T) {
	if got := lastLines("1\n2\n3\n4\n", 2); got != "3\n4" {
		t.Errorf("last lines %q", got)
	}
	if got := lastLines("1\n2", 5); got != "1\n2" {
		t.Errorf("last lines %q", got)
	}
}

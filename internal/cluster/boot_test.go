package cluster

import "testing"

func TestBoot(t *testing.T) {
	for said, want := range map[string]string{
		"0a-1b\n1234\n": "0a-1b/1234", "": "", "0a-1b\n": "", "cat: no such file\n1\n2\n": "",
	} {
		got, err := Boot(t.Context(), says{text: said})
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is boot %q, %v, want %q", said, got, err, want)
		}
	}
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// short is a host that lacks what unprivileged hosts usually lack.
func short() limits {
	return limits{
		caps: map[string]bool{"CAP_CHOWN": true, "CAP_SYS_ADMIN": true},
		hard: map[string]uint64{"RLIMIT_NOFILE": 20000, "RLIMIT_CORE": 1<<64 - 1},
	}
}

// whole is a host that lacks nothing which the tests ask for.
func whole() limits {
	own := short()
	own.caps[capSysResource] = true
	return own
}

func TestTrimProcess(t *testing.T) {
	tests := []struct {
		name string
		own  limits
		in   string
		want string // "" when nothing changes
	}{
		{
			name: "every set",
			own:  short(),
			in: `{"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"],"effective":["CAP_SYS_RESOURCE"],
				"inheritable":["CAP_SYS_RESOURCE","CAP_SYS_ADMIN"],"permitted":["CAP_SYS_RESOURCE","CAP_CHOWN","CAP_NEW"],"ambient":["CAP_SYS_RESOURCE"]}}`,
			want: `{"capabilities":{"bounding":["CAP_CHOWN"],"effective":[],"inheritable":["CAP_SYS_ADMIN"],"permitted":["CAP_CHOWN"],"ambient":[]}}`,
		},
		{
			name: "granted ones stay",
			own:  short(),
			in:   `{"capabilities":{"bounding":["CAP_SYS_ADMIN","CAP_CHOWN"]}}`,
		},
		{
			name: "a whole host keeps all",
			own:  whole(),
			in:   `{"capabilities":{"bounding":["CAP_SYS_RESOURCE"]},"oomScoreAdj":-998,"rlimits":[{"type":"RLIMIT_NOFILE","hard":1048576,"soft":1024}]}`,
		},
		{
			name: "negative score",
			own:  short(),
			in:   `{"oomScoreAdj":-998,"cwd":"/"}`,
			want: `{"cwd":"/"}`,
		},
		{name: "score of nought", own: short(), in: `{"oomScoreAdj":0}`},
		{name: "positive score", own: short(), in: `{"oomScoreAdj":1000}`},
		{
			name: "limits above one's own",
			own:  short(),
			in: `{"rlimits":[{"type":"RLIMIT_NOFILE","hard":20001,"soft":1},{"type":"RLIMIT_NOFILE","hard":20000,"soft":9},
				{"type":"RLIMIT_CORE","hard":18446744073709551615,"soft":18446744073709551615},{"type":"RLIMIT_ODD","hard":9,"soft":9}]}`,
			want: `{"rlimits":[{"type":"RLIMIT_NOFILE","hard":20000,"soft":9},
				{"type":"RLIMIT_CORE","hard":18446744073709551615,"soft":18446744073709551615},{"type":"RLIMIT_ODD","hard":9,"soft":9}]}`,
		},
		{
			name: "the rest survives",
			own:  short(),
			in:   `{"oomScoreAdj":-1,"rlimits":null,"capabilities":null,"env":["A=<&>"],"x-new":{"n":12345678901234567890,"f":1.50}}`,
			want: `{"rlimits":null,"capabilities":null,"env":["A=<&>"],"x-new":{"n":12345678901234567890,"f":1.50}}`,
		},
		{name: "nothing to trim", own: short(), in: `{"args":["sh"]}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for what, wrap := range map[string]func(string) string{
				"process": func(s string) string { return s },
				"config":  func(s string) string { return `{"ociVersion":"1.0.2","process":` + s + `}` },
			} {
				trim := trimProcess
				if what == "config" {
					trim = trimConfig
				}
				got, changed, err := trim([]byte(wrap(test.in)), test.own)
				if err != nil {
					t.Fatal(err)
				}
				if changed != (test.want != "") {
					t.Errorf("%s: changed %v", what, changed)
				}
				want := test.want
				if want == "" {
					want = test.in
				}
				sameJSON(t, got, wrap(want))
			}
		})
	}
}

func TestTrimConfigWithoutProcess(t *testing.T) {
	for _, in := range []string{`{}`, `{"process":null}`} {
		got, changed, err := trimConfig([]byte(in), short())
		if err != nil || changed || string(got) != in {
			t.Errorf("%s: %s %v %v", in, got, changed, err)
		}
	}
}

func TestTrimRefusesWhatItCannotRead(t *testing.T) {
	for _, in := range []string{
		``, `[]`, `{"process":3}`, `{"process":{"capabilities":[]}}`,
		`{"process":{"oomScoreAdj":"low"}}`, `{"process":{"rlimits":{}}}`, `{"process":{"rlimits":[{"hard":-1}]}}`,
	} {
		if got, _, err := trimConfig([]byte(in), short()); err == nil {
			t.Errorf("%s became %s", in, got)
		}
	}
}

// Numbers are compared as text: a float64 would hide a lost digit.
func TestNumbersAndTextSurviveByteForByte(t *testing.T) {
	in := `{"process":{"oomScoreAdj":-1,"n":12345678901234567890},"linux":{"v":1.50,"s":"<&>"}}`
	want := `{"linux":{"v":1.50,"s":"<&>"},"process":{"n":12345678901234567890}}`
	got, _, err := trimConfig([]byte(in), short())
	if err != nil || string(got) != want {
		t.Errorf("got %s %v, want %s", got, err, want)
	}
}

func TestTrimFile(t *testing.T) {
	const privileged = `{"process":{"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"]}}}`
	const trimmed = `{"process":{"capabilities":{"bounding":["CAP_CHOWN"]}}}`
	dir := t.TempDir()
	file := filepath.Join(dir, "config.json")
	link := filepath.Join(dir, "link.json")
	write(t, file, privileged)
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	// A reader that opened the file before must still see all of the old one.
	before, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = before.Close() }()

	if err := trimFile(request{path: link}, short()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); got != trimmed {
		t.Errorf("file is %s", got)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is one no more: %v %v", info, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
	old := make([]byte, len(privileged)+1)
	if n, _ := before.Read(old); string(old[:n]) != privileged {
		t.Errorf("written in place: %s", old[:n])
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTrimFileBareProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "process")
	write(t, file, `{"oomScoreAdj":-5}`)
	if err := trimFile(request{path: file, bare: true}, short()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); got != `{}` {
		t.Errorf("file is %s", got)
	}
}

func TestTrimFileLeavesTheUnchangedAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	write(t, file, "{ \"process\": {} }\n")
	before, _ := os.Stat(file)
	if err := trimFile(request{path: file}, short()); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(file)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was replaced (%v)", err)
	}
}

func TestTrimFilePassesWhatIsNoFile(t *testing.T) {
	if err := trimFile(request{path: "/dev/null", bare: true}, short()); err != nil {
		t.Error(err)
	}
	if err := trimFile(request{path: filepath.Join(t.TempDir(), "absent")}, short()); err == nil {
		t.Error("a missing request is no failure")
	}
}

func TestReplaceFileFailsWithoutRest(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(target, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(target, []byte("x"), 0o644); err == nil {
		t.Fatal("a directory was replaced")
	}
	if left, _ := filepath.Glob(target + ".*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := replaceFile(filepath.Join(dir, "no", "file"), nil, 0o644); err == nil {
		t.Error("a file in no directory was written")
	}
}

func FuzzTrimConfig(f *testing.F) {
	f.Add([]byte(`{"process":{"capabilities":{"bounding":["CAP_CHOWN","CAP_BPF"]},"oomScoreAdj":-1}}`))
	f.Add([]byte(`{"process":{"rlimits":[{"type":"RLIMIT_NOFILE","hard":99999,"soft":1}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		once, _, err := trimConfig(raw, short())
		if err != nil {
			return
		}
		twice, changed, err := trimConfig(once, short())
		if err != nil || changed || string(twice) != string(once) {
			t.Errorf("trimming %s again gives %s, %v", once, twice, err)
		}
	})
}

func sameJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

package matrix

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/internal/strict"
	"github.com/qualify-dev/qualify/internal/strict/stricttest"
)

func readSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	schema, err := stricttest.Schema("matrix.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func resolved(t testing.TB) *jsonschema.Resolved {
	t.Helper()
	schema, err := readSchema(t).Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// plain is the file as an editor's validator sees it.
func plain(t testing.TB, data []byte) any {
	t.Helper()
	value, err := stricttest.Plain(data)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestDefaultMeetsSchema(t *testing.T) {
	data, _ := Default()
	if err := resolved(t).Validate(plain(t, data)); err != nil {
		t.Error(err)
	}
}

// The schema and the loader state some forms twice; here they are compared.
func TestSchemaHasTheLoadersForms(t *testing.T) {
	defs := readSchema(t).Defs
	k8s := defs["k8sValue"].Properties
	for name, pair := range map[string][2]string{
		"name":     {defs["name"].Pattern, strict.NameForm},
		"prose":    {defs["prose"].Pattern, strict.ProseForm},
		"release":  {k8s["release"].Pattern, releaseForm.String()},
		"reserved": {defs["reserved"].Pattern, reservedForm.String()},
		"bounds": {
			fmt.Sprint(*defs["prose"].MaxLength, *defs["names"].MaxItems, *k8s["name"].MaxLength, *readSchema(t).Properties["workers"].Maximum),
			fmt.Sprint(strict.MaxProse, strict.MaxList, strict.MaxName, maxWorkers),
		},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %s in the schema, %s in the loader", name, pair[0], pair[1])
		}
	}
}

// agree says what each makes of a file.
func agree(t *testing.T, schema *jsonschema.Resolved, text string) (bySchema, byLoader error) {
	t.Helper()
	_, byLoader = Load("m.yaml", []byte(text))
	return schema.Validate(plain(t, []byte(text))), byLoader
}

func TestSchemaAndLoaderAgree(t *testing.T) {
	k8s := "release: source:v1.35.4"
	tests := []struct {
		old, new string
		good     bool
	}{
		{"workers: 1", "workers: 0", true},
		{"workers: 1", "workers: 99", true},
		{"workers: 1", "workers: 100", false},
		{"workers: 1", "workers: -1", false},
		{"workers: 1", "workers: 1.5", false},
		{"workers: 1", "workers: two", false},
		{"workers: 1", "workers:", false},
		{"workers: 1", "worker: 1", false},
		{"qualify/v1", "qualify/v2", false},
		{"kind: Matrix", "kind: matrix", false},
		{"[smoke]", "[]", false},
		{"[smoke]", "[smoke, smoke]", false},
		{"[smoke]", "[a, b]", true},
		{"[smoke]", "[A]", false},
		{"[smoke]", `[""]`, false},
		{"[smoke]", "[" + strings.Repeat("a", 63) + "]", true},
		{"[smoke]", "[" + strings.Repeat("a", 64) + "]", false},
		{"family: debian\n", "family: debian\n        aliases: []\n", true},
		{"family: debian\n", "family: debian\n        aliases: [a, b]\n", true},
		{"family: debian\n", "family: debian\n        aliases: a\n", false},
		{"family: debian\n", "family: debian\n        release: source:x\n", false},
		{"family: debian\n", "family: debian\n        tier: gate\n", true},
		{"family: debian\n", "family: debian\n        tier: huge\n", false},
		{"family: debian\n", "family: debian\n        weight: 0\n", false},
		{"family: debian\n", "family: debian\n        only: {}\n", false},
		{"family: debian\n", "family: debian\n        containerd: 1.6\n", false},
		{"family: debian\n", "family: debian\n        containerd: \"1.6\"\n", true},
		{"family: debian\n", "family: debian\n        kubelet: {from: \"1.30\"}\n", false},
		{"family: debian\n", "family: debian\n        support: {extended: 2030-01-01}\n", false},
		{k8s, k8s + "\n        containerd: \"1.6\"", false},
		{"workers: 1", "workers: 1\nsupport: never", false},
		{"workers: 1", "workers: 1\ntiers: {huge: {}}", false},
		{"workers: 1", "workers: 1\ntiers: {gate: {strength: 4}}", false},
		{"workers: 1", "workers: 1\nrequire: [{when: {os: debian}}]", false},
		{"name: ubuntu-22.04", "name: 22.04", false},
		{"name: ubuntu-22.04", "name: 2026-01-31", true},
		{"name: v1.34.4", "name: v1.34", false},
		{"name: v1.34.4", "name: v1.034.4", false},
		{"name: v1.35.4\n        release: source:v1.35.4", "name: v1.35.0-rc.1\n        release: file:rc.yaml", true},
		{"name: v1.35.4\n        release: source:v1.35.4", "name: v1.35.0-rc.\n        release: file:rc.yaml", false},
		{k8s, "release: a b", false},
		{k8s, "release:", false},
		{k8s, "family: x", false},
		{k8s, k8s + "\n        aliases: [blessed]", true},
		{k8s, k8s + "\n        aliases: [n-1]", false},
		{k8s, k8s + "\n        family: v1", false},
		{`["1.34"]`, `"1.34"`, true},
		{`["1.34"]`, "1.34", false},
		{`["1.34"]`, "[]", false},
		{`{os: debian, k8s: ["1.34"]}`, "{}", false},
		{"too old", `""`, false},
		{"too old", `" \t"`, false},
		{"too old", "|\n      a\n      b", true},
		{"too old", strings.Repeat("é", 1000), true},
		{"too old", strings.Repeat("é", 1001), false},
		{`"#12"`, "12", false},
		{"2026-12-31", "31.12.2026", false},
		{"2026-12-31", "2026-13-01", false},
		{"2026-12-31", `"2026-12-31"`, true},
		{"    expires: 2026-12-31\n", "", false},
	}
	schema := resolved(t)
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s to %.30s", strings.TrimSpace(tt.old), tt.new), func(t *testing.T) {
			bySchema, byLoader := agree(t, schema, vary(t, tt.old, tt.new))
			if (bySchema == nil) != tt.good || (byLoader == nil) != tt.good {
				t.Errorf("good is %v\nschema: %v\nloader: %v", tt.good, bySchema, byLoader)
			}
		})
	}
}

func TestSchemaAndLoaderAgreeOnDamage(t *testing.T) {
	schema, refused := resolved(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		if stricttest.Agree(rt, rapid.SampledFrom([]string{small, rich}).Draw(rt, "file"), schema, func(text []byte) error { _, err := Load("m.yaml", text); return err }) {
			refused++
		}
	})
	if refused == 0 {
		t.Error("no file was bad")
	}
}

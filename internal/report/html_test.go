package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/result"
)

func pageOf(t testing.TB, in Input) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHTML(&b, Build(in)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestSamplesForTheEye writes pages to look at: SAMPLES=dir go test -run Eye.
func TestSamplesForTheEye(t *testing.T) {
	dir := os.Getenv("SAMPLES")
	if dir == "" {
		t.Skip("SAMPLES is not set")
	}
	ins := samples()
	ins["big"] = bigRun(4, 400)
	for name, in := range ins {
		if err := os.WriteFile(filepath.Join(dir, name+".html"), []byte(pageOf(t, in)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPageGolden(t *testing.T) {
	r := Build(lostRun())
	golden(t, "lost.html", func(b *bytes.Buffer) error { return WriteHTML(b, r) })
}

// body is the page without its stylesheet.
func body(page string) string {
	_, after, _ := strings.Cut(page, "</style>")
	return after
}

var tagPattern = regexp.MustCompile(`</?([a-zA-Z][a-zA-Z0-9]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>`)

// tags lists the page's elements in order.
func tags(page string) []string {
	var out []string
	for _, m := range tagPattern.FindAllStringSubmatch(body(page), -1) {
		out = append(out, strings.TrimSpace(m[0][:2])+m[1])
	}
	return out
}

var (
	quoted      = regexp.MustCompile(`"[^"]*"`)
	activeAttr  = regexp.MustCompile(`(?i)\s(on[a-z]+|style|src|srcset|action|formaction|ping|xlink:href)\s*=`)
	allowedLink = regexp.MustCompile(`^(#[A-Za-z0-9.%()-]+|data:,|verdict\.json|journal\.jsonl|junit/[a-z0-9_.-]+\.xml)$`)
	linkAttr    = regexp.MustCompile(`href="([^"]*)"`)
	policyAttr  = regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`)
	plainTags   = strings.Fields("a b body caption circle code dd defs details div dl dt footer h1 h2 h3 head header html li link main meta ol p path pattern pre rect section span style summary svg symbol table tbody td th thead time title tr ul use")
)

// unsafeMarkup says what on a page could load or run something, or is no
// element that the template has.
func unsafeMarkup(page string) error {
	for _, m := range tagPattern.FindAllStringSubmatch(page, -1) {
		if !slices.Contains(plainTags, m[1]) {
			return fmt.Errorf("element <%s>", m[1])
		}
		if activeAttr.MatchString(quoted.ReplaceAllString(m[2], `""`)) {
			return fmt.Errorf("<%s%s> loads or runs something", m[1], m[2])
		}
		if href := linkAttr.FindStringSubmatch(m[2]); href != nil && !allowedLink.MatchString(href[1]) {
			return fmt.Errorf("a link leads to %q", href[1])
		}
	}
	rest := tagPattern.ReplaceAllString(body(page), "")
	if i := strings.IndexAny(rest, "<>"); i >= 0 {
		return fmt.Errorf("markup that is no element: %q", rest[i:min(len(rest), i+40)])
	}
	return nil
}

func TestPageLoadsAndRunsNothing(t *testing.T) {
	for name, in := range samples() {
		p := pageOf(t, in)
		style := p[strings.Index(p, "<style>")+len("<style>") : strings.Index(p, "</style>")]
		sum := sha256.Sum256([]byte(style))
		csp := policyAttr.FindStringSubmatch(p)
		if csp == nil {
			t.Fatalf("%s: no content security policy", name)
		}
		policy := html.UnescapeString(csp[1])
		if want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"; !strings.HasPrefix(policy, want) {
			t.Errorf("%s: the policy is %q, the style's hash asks for %q", name, policy, want)
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") {
			t.Errorf("%s: the policy allows more than it must: %q", name, policy)
		}
		if strings.Contains(style, "url(") || strings.Contains(style, "@import") || strings.Contains(style, "/*") {
			t.Errorf("%s: the style loads something, or has a comment that the hash would have to cover", name)
		}
		if err := unsafeMarkup(p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnsafeMarkupIsSeen keeps the guard above from guarding nothing.
func TestUnsafeMarkupIsSeen(t *testing.T) {
	p := pageOf(t, goodRun())
	for _, bad := range []string{
		"<script>x</script>", "<img src=x>", `<p onclick="x">`, `<P ONCLICK=x>`, `<a href="javascript:x">`, `<a href="https://example.com">`,
		`<p style="x">`, "<!--", "<p", `<svg><a xlink:href="x">`, "<iframe>",
	} {
		if err := unsafeMarkup(strings.Replace(p, "<h1>", bad+"<h1>", 1)); err == nil {
			t.Errorf("%s goes unnoticed", bad)
		}
	}
}

// TestHostileTextChangesNoMarkup: the page of a hostile run has the elements
// of the same run with harmless text, one by one.
func TestHostileTextChangesNoMarkup(t *testing.T) {
	harmless := strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return 'x'
	}, Clean(hostile))
	swap := func(s string) string { return strings.ReplaceAll(s, hostile, harmless) }
	in, clean := hostileRun(), hostileRun()
	for i := range clean.Events {
		e := &clean.Events[i]
		e.Cell, e.Suite, e.Text, e.Log, e.Kind = swap(e.Cell), swap(e.Suite), swap(e.Text), swap(e.Log), result.Kind(swap(string(e.Kind)))
		e.Stage, e.Phase = swap(e.Stage), swap(e.Phase)
		for j := range e.Checked {
			e.Checked[j] = swap(e.Checked[j])
		}
		for j := range e.Mismatched {
			e.Mismatched[j] = swap(e.Mismatched[j])
		}
		if c := e.Case; c != nil {
			c.Name, c.Message, c.Log = swap(c.Name), swap(c.Message), swap(c.Log)
		}
		if e.Lease != nil {
			e.Lease = &result.Lease{Name: swap(e.Lease.Name)}
		}
	}
	swapPlan(&clean, swap)
	got, want := tags(pageOf(t, in)), tags(pageOf(t, clean))
	if !slices.Equal(got, want) {
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("element %d is %s, and %s with harmless text", i, got[i:min(i+5, len(got))], want[i:min(i+5, len(want))])
			}
		}
		t.Fatalf("%d elements, and %d with harmless text", len(got), len(want))
	}
}

func swapPlan(in *Input, swap func(string) string) {
	c := &in.Plan.Cells[0]
	c.ID, in.Plan.Hash = swap(c.ID), swap(in.Plan.Hash)
	c.Values = map[string]string{"os": swap(c.Values["os"]), swap(hostile): "v"}
	c.Suites[0].Name = swap(c.Suites[0].Name)
	for i := range c.Suites[0].Expected {
		c.Suites[0].Expected[i] = swap(c.Suites[0].Expected[i])
	}
	d := &in.Document
	d.Plan.Hash, d.Cells[0].ID, d.Cells[0].Values, d.Cells[0].Suites[0].Name = in.Plan.Hash, c.ID, c.Values, c.Suites[0].Name
	for _, r := range []*result.Reason{&d.Reasons[0], &d.Cells[0].Reasons[0]} {
		*r = result.Reason{Code: swap(r.Code), Cell: swap(r.Cell), Suite: swap(r.Suite), Text: swap(r.Text)}
	}
	for _, rel := range []*result.ReleaseRef{&d.Release, &in.Plan.Release, &c.Release} {
		*rel = result.ReleaseRef{Name: swap(rel.Name), Kubernetes: swap(rel.Kubernetes), Digest: swap(rel.Digest)}
	}
}

func TestPageSaysTheVerdict(t *testing.T) {
	for name, tc := range map[string]struct {
		in   Input
		want []string
	}{
		"good": {goodRun(), []string{
			"<title>✓ Qualified: kubernetes-1-34-source-4</title>", "<h1>Qualified</h1>", `data-verdict="Qualified" data-exit-code="0"`, "49 passed", "1 cell of 1 release",
			"v1.34.4", sampleRelease.Digest, sampleHash, "2026-11-20 08:00:00 UTC", "9 checked, <b>0 mismatched</b>", "qualify --os debian-12 --k8s 1.34", "cgroup v1",
			"41 passed at the first attempt", "before: timed out waiting for 2 pods to be gone",
		}},
		"failing": {failingRun(), []string{
			"<title>✗ Not qualified: kubernetes-1-34-source-4</title>", "<h1>Not qualified</h1>", "68 passed", "2 failed", "39 not run", "1 unexpected", "Fault of the release",
			"unknown field cgroupDriverX", "service.go:3927", "earlier lines</summary>", "30 not run: no evidence",
		}},
		"lost": {lostRun(), []string{
			"<title>? Inconclusive: kubernetes-1-34-source-4</title>", "<h1>Inconclusive</h1>", `data-exit-code="130"`, "interrupted: SIGINT", "1 resource not proven gone",
			"tried again afterwards", "after the suites: no evidence", "9 checked, <b>1 mismatched</b>", "no end", "no evidence that the resources are gone: q-second",
		}},
		"contested": {contestedRun(), []string{"<title>? Qualified, but contradicted:", "<h1>Qualified, but contradicted</h1>", "Do not rely on this verdict", `class="banner v-Contested"`}},
		"nothing":   {Input{}, []string{"<h1>Inconclusive</h1>", "no evidence: no cell was planned or run", "0 passed", `<span class="none">no evidence</span>`, "no evidence of the command"}},
	} {
		p := html.UnescapeString(strings.ReplaceAll(pageOf(t, tc.in), " of the log</summary>", "</summary>"))
		for _, want := range tc.want {
			if !strings.Contains(p, want) {
				t.Errorf("%s: the page lacks %q", name, want)
			}
		}
	}
	if p := pageOf(t, failingRun()); strings.Contains(p, `class="banner v-Qualified"`) || strings.Contains(p, "Do not rely") {
		t.Error("a failing run looks calm, or an honest one contested")
	}
}

func TestPageOrder(t *testing.T) {
	p := body(pageOf(t, failingRun()))
	at := -1
	for _, want := range []string{
		"<h1>", `class="totals"`, `id="why"`, `id="about"`, `id="cells"`, `id="cell-debian-12-v1-34-4-kind"`, `id="cell-ubuntu-24-04-v1-34-4-kind"`,
		`id="cell-rocky-9-v1-34-4-kind"`, `id="reproduce"`,
	} {
		i := strings.Index(p, want)
		if i <= at {
			t.Errorf("%s is missing or too early", want)
		}
		at = i
	}
	bad := p[strings.Index(p, `data-suite="conformance"`):]
	if strings.Index(bad, `data-outcome="fail"`) > strings.Index(bad, `data-outcome="pass"`) || !strings.Contains(bad, `data-outcome="fail" open>`) {
		t.Error("failed cases do not come first and open")
	}
	if strings.Index(p, `data-suite="smoke"`) < strings.Index(p, `data-suite="conformance"`) {
		t.Error("a suite that passed comes before the one that failed")
	}
}

// TestPageHasEveryCase counts the rows.
func TestPageHasEveryCase(t *testing.T) {
	for name, in := range samples() {
		r, p := Build(in), pageOf(t, in)
		want := map[result.Outcome]int{}
		for _, c := range r.Cells {
			for _, s := range c.Suites {
				for _, k := range s.Cases {
					want[k.Outcome]++
				}
			}
		}
		for o := result.NotRun; o <= result.Skip; o++ {
			if got := strings.Count(p, fmt.Sprintf("data-outcome=%q", o)); got != want[o] {
				t.Errorf("%s: %d rows %v, %d cases", name, got, o, want[o])
			}
		}
		if got := strings.Count(p, "<h1>"); got != 1 {
			t.Errorf("%s: %d h1", name, got)
		}
		ids := regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(p, -1)
		seen := map[string]bool{}
		for _, id := range ids {
			if seen[id[1]] {
				t.Errorf("%s: id %q is there twice", name, id[1])
			}
			seen[id[1]] = true
		}
		for _, ref := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(p, -1) {
			if !seen[ref[1]] {
				t.Errorf("%s: link to #%s leads nowhere", name, ref[1])
			}
		}
	}
}

func TestPageStaysSmall(t *testing.T) {
	if n := len(pageOf(t, bigRun(4, 400))); n > 700_000 {
		t.Errorf("400 cases in 4 cells make %d bytes", n)
	}
	in := bigRun(1, 1500)
	for i := range in.Events {
		if c := in.Events[i].Case; c != nil {
			c.Outcome, c.Message, c.Log = result.Fail, longLog(100), longLog(600)
		}
	}
	p := pageOf(t, in)
	if len(p) > 14_000_000 || !strings.Contains(p, "this page holds as much log as it may") {
		t.Errorf("1500 failures with long logs make %d bytes, or what was left out is not said", len(p))
	}
	if n := strings.Count(p, `data-outcome="fail" open`); n != pageOpen {
		t.Errorf("%d failures are open", n)
	}
}

func TestDurations(t *testing.T) {
	for want, s := range map[string]float64{
		"0.0 s": -4, "1.2 s": 1.24, "10 s": 9.96, "59 s": 59.4, "1 min 0 s": 59.6, "6 min 53 s": 412.9, "1 h 0 min": 3600, "27 h 46 min": 1e5,
	} {
		if got := duration(s); got != want {
			t.Errorf("duration(%v) = %q, want %q", s, got, want)
		}
	}
	if duration(math.NaN()) != "0.0 s" || duration(math.Inf(1)) != "0.0 s" {
		t.Error("what is no duration is shown as one")
	}
}

func TestSharesFillTheBar(t *testing.T) {
	for _, n := range []Counts{
		{Expected: 1, Passed: 1}, {Expected: 100000, Passed: 99999, Failed: 1}, {Expected: 5, Passed: 1, Failed: 1, Errored: 1, Skipped: 1, NotRun: 1},
		{Expected: 3, NotRun: 3}, {Expected: 1000, Passed: 500, NotRun: 499, Failed: 1},
	} {
		parts, x := newTotals(n).Parts, 0
		for _, p := range parts {
			if p.X != x || p.Width < 5 {
				t.Errorf("%+v: part %+v leaves a gap or cannot be seen", n, p)
			}
			x += p.Width
		}
		if x != 1000 {
			t.Errorf("%+v: the bar ends at %d", n, x)
		}
	}
	if len(newTotals(Counts{}).Parts) != 0 {
		t.Error("no evidence draws a bar")
	}
}

// TestContrast holds every pair of text and ground in both colour schemes
// against WCAG 2.2 AA.
func TestContrast(t *testing.T) {
	schemes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(stripComments(pageStyle), -1)
	for i, name := range []string{"light", "dark"} {
		colour := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(schemes[i][1], -1) {
			colour[m[1]] = m[2]
		}
		for _, ground := range []string{"page", "box", "code", "failtint", "errortint"} {
			for _, text := range []string{"text", "soft", "link", "pass", "fail", "error", "gone", "skip", "flaky"} {
				if c := contrast(t, colour[text], colour[ground]); c < 4.5 {
					t.Errorf("%s: --%s on --%s has a contrast of %.2f", name, text, ground, c)
				}
			}
		}
	}
	for ground, text := range map[string]string{"#0a5f43": "#ffffff", "#a01a0c": "#ffffff", "#f5c860": "#1d1400", "#efbb45": "#1d1400"} {
		if !strings.Contains(pageStyle, ground) {
			t.Errorf("the banner does not use %s any more", ground)
		}
		if c := contrast(t, text, ground); c < 7 {
			t.Errorf("banner %s on %s has a contrast of %.2f", text, ground, c)
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		if len(hex) != 7 {
			t.Fatalf("colour %q", hex)
		}
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func BenchmarkPage(b *testing.B) {
	in := bigRun(200, 430)
	for b.Loop() {
		b.SetBytes(int64(len(pageOf(b, in))))
	}
}

// The table says how many releases its cells are of.
func TestPageCountsReleases(t *testing.T) {
	in := goodRun()
	other := in.Plan.Cells[0]
	other.ID, other.Release = "another", result.ReleaseRef{Name: "kubernetes-1-33-source-13", Kubernetes: "v1.33.13", Digest: "sha256:" + strings.Repeat("3", 64)}
	in.Plan.Cells = append(in.Plan.Cells, other)
	if p := pageOf(t, in); !strings.Contains(p, "2 cells of 2 releases,") {
		t.Error("the page does not say that two cells are of two releases")
	}
}

package cncf

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// rule is one thing that is asked of a submission. Adding one is a line in
// rules and a function.
type rule struct {
	id   string // stable: gates and notes refer to it
	want string // where the breach has no words of its own
	text string // for who has never read the programme's pages
	// check returns what is wrong. A rule about a file that cannot be looked at
	// says nothing: that it cannot is another rule's finding.
	check func(*submission) []breach
}

// rules are all of them, in the order in which a reader wants to hear of them.
func rules() []rule {
	return slices.Concat(fileRules(), productRules(), testRules(), logRules(), unchecked())
}

func fileRules() []rule {
	return []rule{
		{
			"folder-layout", "vX.Y/<product>",
			"A submission lies in a folder that is named after the Kubernetes release, and in it one that is named after the product.",
			checkFolder,
		},
		{
			"title", "Conformance results for vX.Y/<product>, with the release of the folder",
			"The title of the pull request names the release and the product; the release is that of the folder.",
			checkTitle,
		},
		{
			"release-window", "", "Only the newest minor release of Kubernetes and the two before it can be submitted.", checkWindow,
		},
		{
			"file-missing", "", "A submission consists of PRODUCT.yaml, README.md, e2e.log and junit_01.xml; each of them is needed.", checkMissing,
		},
		{
			"file-extra", "PRODUCT.yaml, README.md, e2e.log, junit_01.xml and nothing else",
			"Any other file makes the submission unfit: archives, logs of other runs and hidden files too.", checkExtra,
		},
		{
			"file-irregular", "a plain file", "Each of the four must be a file of its own, not a link to one or a folder.", checkIrregular,
		},
		{"file-empty", "a file with content", "An empty file shows nothing.", checkEmpty},
		{"file-too-large", "", "The host of the programme's repository takes no file above 100 MiB, and people write far less.", checkLarge},
		{"file-not-text", "text in UTF-8", "The files are read by people and by programs that take them for text.", checkText},
	}
}

func productRules() []rule {
	return []rule{
		{
			"product-yaml-invalid", "a YAML list of fields, each a text", "PRODUCT.yaml cannot be read as the plain list of fields that it has to be.",
			checkProductYAML,
		},
		{"product-yaml-field-missing", "", "PRODUCT.yaml lacks a field that is required, or the field is empty.", checkProductFields},
		{
			"product-yaml-type", strings.Join(productTypes, ", "), "The type of a product is one of three words.", checkProductType,
		},
		{"product-yaml-url", "", "The field has to be a complete web address.", checkProductURLs},
		{"product-yaml-email", "an email address", "The maintainers of the programme write to this address.", checkProductEmail},
		{
			"product-yaml-logo", "a file in SVG, AI or EPS format", "The logo is printed at any size, so it has to be a drawing and not a picture of dots.",
			checkProductLogo,
		},
		{
			"product-yaml-field-not-text", "", "Without quotes YAML takes the value for a number or a date, and may show another: 1.30 becomes 1.3.",
			checkProductTexts,
		},
		{"product-yaml-field-unknown", "the ten known fields", "The programme does not know this field; nobody reads it.", checkProductUnknown},
		{
			"install-instructions", fmt.Sprintf("%d words and a command or %d steps", fewestWords, fewestSteps),
			"README.md holds the steps by which the results can be had again, from installing the product on; a link to them is not enough.",
			checkReadme,
		},
		{
			"sonobuoy-0.53", "another version of Sonobuoy", "Results of Sonobuoy 0.53.0 and 0.53.1 are not taken: these versions left tests out.",
			checkSonobuoy,
		},
	}
}

func testRules() []rule {
	return []rule{
		{
			"junit-damaged", "a JUnit file that reads to its end and counts what it holds", "junit_01.xml cannot be relied on as it is.",
			checkJUnitDamaged,
		},
		{
			"junit-tests-missing", "", "Every conformance test of the release has to be in junit_01.xml as one that ran: what is skipped is missing.", checkTestsMissing,
		},
		{
			"required-list-unknown", "the list of the release's conformance tests",
			"Without the whole list nobody can tell that nothing is missing. Give the release's conformance.yaml.", checkTestsListed,
		},
		{"junit-tests-failed", "no failure and no error", "A submission with a failed test is not eligible.", checkTestsFailed},
		{"junit-suite-failed", "a suite that succeeded", "The tests may have passed and the suite not: its set-up or its end failed.", checkSuiteFailed},
		{"dry-run", "tests that ran", "A dry run calls every test passed and runs none.", checkDryRun},
		{
			"e2e-skip-used", "no E2E_SKIP", "A certified run may not skip any test, so the skip of the run has to be empty.", checkSkip,
		},
		{
			"e2e-focus", "FocusStrings=" + conformanceFocus, "A certified run selects the conformance tests and nothing more or less.", checkFocus,
		},
		{
			"junit-tests-unknown", "the release's own conformance tests", "The list of the release does not have these tests: were they run by another release's test program?",
			checkTestsUnknown,
		},
		{
			"tests-repeated", "one run of each test", "Tests were repeated, or two runs were put together; a certified run is one run.", checkTestsRepeated,
		},
	}
}

func logRules() []rule {
	return []rule{
		{"log-incomplete", "a summary of the suite at the end", "e2e.log breaks off: it does not say how the run ended.", checkLogEnd},
		{"log-failed", "0 Failed | 0 Pending, Test Suite Passed", "e2e.log says that the run did not succeed.", checkLogFailed},
		{"log-inconsistent", "", "e2e.log contradicts itself about how many tests ran.", checkLogSums},
		{"log-version", "", "e2e.log has to name the Kubernetes release that the folder names.", checkLogVersion},
		{"log-and-junit-differ", "", "e2e.log and junit_01.xml have to show the same tests.", checkSameTests},
		{"log-of-another-run", "", "Ginkgo draws a number for each run; that of e2e.log is not that of junit_01.xml.", checkSameRun},
		{"log-several-runs", "one run", "e2e.log holds more than one run; a certified run is one.", checkOneRun},
	}
}

// unchecked are the rules that cannot be judged from the directory alone.
func unchecked() []rule {
	return []rule{
		{
			"urls-resolve", "pages that the web serves as text/html", "Whether the addresses lead to pages was not looked up: that takes the network.",
			checkURLsResolve,
		},
		{
			"pull-request", "one commit, one product, a title that names both", "The pull request itself cannot be seen here.", checkPullRequest,
		},
	}
}

func checkFolder(s *submission) []breach {
	if s.minor > 0 && s.name != "" && s.name != "." && s.name != "/" {
		return nil
	}
	return []breach{{got: short(s.place())}}
}

var titleForm = regexp.MustCompile(`(.*) (v1\.[0-9]{2})[ /](.+)`)

func checkTitle(s *submission) []breach {
	if s.Title == "" {
		return nil
	}
	if m := titleForm.FindStringSubmatch(s.Title); m != nil && m[2] == s.release {
		return nil
	}
	return []breach{{got: short(s.Title)}}
}

func checkWindow(s *submission) []breach {
	if s.minor == 0 {
		return nil
	}
	open, stale := openMinors(s.AsOf)
	var names []string
	for _, m := range open {
		names = append(names, minorName(m))
	}
	want := fmt.Sprintf("on %s one of: %s", s.AsOf.Format("2006-01-02"), strings.Join(names, ", "))
	switch {
	case !slices.Contains(open, s.minor):
		return []breach{{want: want, got: s.release}}
	case stale:
		return []breach{{weight: doubts, want: want, got: s.release + "; the list of releases is old: a newer minor may be out"}}
	}
	return nil
}

func checkMissing(s *submission) []breach {
	var all []breach
	for _, name := range Files() {
		if s.file(name).missing {
			all = append(all, breach{want: name, got: "no " + name})
		}
	}
	return all
}

func checkExtra(s *submission) []breach {
	var extra []string
	for _, f := range s.files {
		if !slices.Contains(Files(), f.name) {
			extra = append(extra, short(f.name))
		}
	}
	if len(extra) == 0 {
		return nil
	}
	return []breach{{got: few(extra)}}
}

// eachFile makes a breach of what is wrong with each of the four files.
func (s *submission) eachFile(wrong func(file) string) []breach {
	var all []breach
	for _, name := range Files() {
		if got := wrong(s.file(name)); got != "" {
			all = append(all, breach{got: name + ": " + got})
		}
	}
	return all
}

func checkIrregular(s *submission) []breach {
	return s.eachFile(func(f file) string { return f.kind })
}

func checkEmpty(s *submission) []breach {
	return s.eachFile(func(f file) string {
		if f.missing || f.kind != "" || f.size > 0 {
			return ""
		}
		return "0 bytes"
	})
}

func checkLarge(s *submission) []breach {
	var all []breach
	for _, name := range Files() {
		if f := s.file(name); f.size > f.most() {
			all = append(all, breach{want: fmt.Sprintf("at most %d bytes", f.most()), got: fmt.Sprintf("%s: %d bytes", name, f.size)})
		}
	}
	return all
}

func checkText(s *submission) []breach {
	return s.eachFile(func(f file) string { return f.notText })
}

func checkPullRequest(s *submission) []breach {
	got := "not seen: the number of commits"
	if s.Title == "" {
		got += ", the title"
	}
	return []breach{{weight: notes, got: got}}
}

package cncf

import (
	"bufio"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// logFacts is what an e2e.log says. The file is made for people and has had
// many shapes: Ginkgo 1 and 2, terse and verbose, in colour and not. So only
// lines that are the same in all of them count, and what a log does not say is
// not held against it.
type logFacts struct {
	versions []string // of e2e.test and of the API server
	seed     string
	willRun  int // -1 where it does not say
	ends     []suiteEnd
	passed   bool // "Test Suite Passed"
	broke    bool // "Test Suite Failed"
	skip     string
	sonobuoy string // a line that names a version that must not be used
	flaked   bool
	// ran are the tests that it lists: all that ran, if it lists any, and
	// whether they passed. Terse logs have a dot for each.
	ran map[string]bool
}

// suiteEnd is the summary of one Ginkgo run.
type suiteEnd struct {
	ran, total              int
	success                 bool
	passed, failed, pending int // -1 where it does not say
}

var (
	versionLine = regexp.MustCompile(`(?:e2e test|kube-apiserver) version: (\S+)`)
	seedLine    = regexp.MustCompile(`^Random Seed: ([0-9]+)`)
	willRunLine = regexp.MustCompile(`^Will run ([0-9]{1,6}) of [0-9]{1,6} specs`)
	ranLine     = regexp.MustCompile(`^Ran ([0-9]{1,6}) of ([0-9]{1,6}) Specs in [0-9.]+ seconds`)
	resultLine  = regexp.MustCompile(`^(SUCCESS|FAIL)!`)
	counted     = regexp.MustCompile(`([0-9]{1,6}) (Passed|Failed|Pending|Flaked)`)
	skipOption  = regexp.MustCompile(`(?:--(?:ginkgo\.)?skip[= ]|E2E_SKIP[=:] ?)(?:"([^"]*)"|'([^']*)'|([^\s,'"]*))`)
	sonobuoyOf  = regexp.MustCompile(`(?i)sonobuoy.*[^0-9.]v?0\.53\.[01](?:[^0-9]|$)`)
	colour      = regexp.MustCompile("\x1b\\[[0-9;]*m")
	delimiter   = regexp.MustCompile(`^-{30,}$`)
	badEnd      = regexp.MustCompile(`^[•↺] \[(?:FAILED|PANICKED|TIMEDOUT|INTERRUPTED|ABORTED)`)
	location    = regexp.MustCompile(`^\s*\S+\.go:[0-9]+$`)
)

// mostLine bounds what is kept of a line; the dots of a terse log are one.
const mostLine = 64 << 10

// readLog reads a log line by line. There is nothing that it refuses: what the
// lines amount to is for the rules to say.
func readLog(r io.Reader) *logFacts {
	l := &logReader{logFacts: logFacts{willRun: -1, ran: map[string]bool{}}}
	in := bufio.NewReaderSize(r, mostLine)
	for {
		line, long, err := in.ReadLine()
		if err != nil {
			break
		}
		l.take(string(line))
		for long && err == nil {
			_, long, err = in.ReadLine()
		}
	}
	l.endBlock()
	return &l.logFacts
}

type logReader struct {
	logFacts
	previous string
	// Of a verbose log of Ginkgo 2, the block between two delimiters: it is
	// about one test.
	inBlock   bool
	name      string
	leftOut   bool
	bad       bool
	jsonNames bool // Kubernetes up to 1.24 says each result as a line of JSON
}

func (l *logReader) take(line string) {
	if strings.IndexByte(line, '\x1b') >= 0 {
		line = colour.ReplaceAllString(line, "")
	}
	line = strings.TrimRight(line, " \r")
	l.takeOptions(line)
	l.takeSummary(line)
	l.takeResult(line)
	l.takeBlock(line)
	l.previous = line
}

// match is FindStringSubmatch for lines that hold a word. Patterns are slow and
// a log can have 100 MiB, so the plain search comes first.
func match(pattern *regexp.Regexp, word, line string) []string {
	if !strings.Contains(line, word) {
		return nil
	}
	return pattern.FindStringSubmatch(line)
}

// takeOptions reads how the suite was started.
func (l *logReader) takeOptions(line string) {
	if m := match(versionLine, " version: ", line); m != nil && len(l.versions) < 100 && !slices.Contains(l.versions, m[1]) {
		l.versions = append(l.versions, m[1])
	}
	if m := match(seedLine, "Random Seed: ", line); m != nil && l.seed == "" {
		l.seed = m[1]
	}
	if l.skip == "" && (strings.Contains(line, "ginkgo") || strings.Contains(line, "E2E_SKIP")) {
		for _, m := range skipOption.FindAllStringSubmatch(line, -1) {
			if m[1]+m[2]+m[3] != "" {
				l.skip = m[0]
			}
		}
	}
	if l.sonobuoy == "" && match(sonobuoyOf, "0.53.", line) != nil {
		l.sonobuoy = line
	}
}

// takeSummary reads what Ginkgo says at the beginning and at the end.
func (l *logReader) takeSummary(line string) {
	if m := match(willRunLine, "Will run ", line); m != nil {
		l.willRun = max(l.willRun, 0) + number(m[1])
	}
	if m := match(ranLine, " Specs in ", line); m != nil && len(l.ends) < 100 {
		l.ends = append(l.ends, suiteEnd{ran: number(m[1]), total: number(m[2]), passed: -1, failed: -1, pending: -1})
	}
	if m := match(resultLine, "! ", line); m != nil && len(l.ends) > 0 {
		end := &l.ends[len(l.ends)-1]
		end.success = m[1] == "SUCCESS"
		for _, c := range counted.FindAllStringSubmatch(line, -1) {
			switch n := number(c[1]); c[2] {
			case "Passed":
				end.passed = n
			case "Failed":
				end.failed = n
			case "Pending":
				end.pending = n
			case "Flaked":
				l.flaked = l.flaked || n > 0
			}
		}
	}
	l.passed = l.passed || line == "Test Suite Passed"
	l.broke = l.broke || line == "Test Suite Failed"
}

// takeResult reads the lines of JSON by which Kubernetes up to 1.24 told the
// progress of its tests.
func (l *logReader) takeResult(line string) {
	if !strings.HasPrefix(line, `{"msg":"`) {
		return
	}
	var said struct {
		Msg string `json:"msg"`
	}
	if json.Unmarshal([]byte(line), &said) != nil {
		return
	}
	word, name, _ := strings.Cut(said.Msg, " ")
	if word == "PASSED" || word == "FAILED" {
		if !l.jsonNames {
			clear(l.ran) // the blocks around them name only parts
		}
		l.jsonNames = true
		l.add(name, word == "PASSED")
	}
}

// takeBlock reads the blocks of a verbose log of Ginkgo 2: a delimiter, the
// test's name, where it stands in the source, its output, how it ended.
func (l *logReader) takeBlock(line string) {
	switch {
	case match(delimiter, "-----", line) != nil:
		l.endBlock()
		l.inBlock, l.name, l.leftOut, l.bad = true, "", false, false
	case !l.inBlock:
	case l.name == "" && match(location, ".go:", line) != nil && l.previous != "" && !strings.HasPrefix(l.previous, " "):
		l.name = l.previous
	case strings.HasPrefix(line, "S [SKIPPED]"), strings.HasPrefix(line, "P [PENDING]"):
		l.leftOut = true
	case badEnd.MatchString(line):
		l.bad = true
	}
}

func (l *logReader) endBlock() {
	if l.inBlock && l.name != "" && !l.leftOut && !l.jsonNames && !suiteNode.MatchString(l.name) {
		l.add(l.name, !l.bad)
	}
}

// add takes a result over. A test that was repeated has failed if it failed
// once: what a later run shows is for who reads both files to say.
func (l *logReader) add(name string, passed bool) {
	name = plainName(name)
	before, again := l.ran[name]
	if again || len(l.ran) < mostTests {
		l.ran[name] = passed && (before || !again)
	}
}

// number reads what a pattern has shown to be a small number.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1
	}
	return n
}

// labels are what verbose logs put behind the name of a test.
var labels = regexp.MustCompile(` \[[^\[\]]*\]$`)

// knownName is the name of a test of the log without labels, if that is one
// that ran or is required.
func (s *submission) knownName(name string) string {
	for known := name; ; known = labels.ReplaceAllString(known, "") {
		if _, required := s.tests.spelled[known]; required || s.junit.ran[known] > 0 {
			return known
		}
		if !labels.MatchString(known) {
			return name
		}
	}
}

// differing compares the tests that the log lists with those of the JUnit
// file.
func (s *submission) differing() (onlyLog, onlyJUnit []string) {
	seen := map[string]bool{}
	for name := range s.log.ran {
		known := s.knownName(name)
		if s.junit.ran[known] == 0 {
			onlyLog = append(onlyLog, known)
		}
		seen[known] = true
	}
	for _, name := range s.junit.names() {
		if !seen[name] {
			onlyJUnit = append(onlyJUnit, name)
		}
	}
	slices.Sort(onlyLog)
	return onlyLog, onlyJUnit
}

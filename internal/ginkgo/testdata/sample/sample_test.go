// Package sample is a Ginkgo suite with one spec for each way in which a spec,
// a suite or a process can end. The tests of internal/ginkgo and of suites
// compile it and run some of it; what else it does is chosen by -sample.mode.
package sample

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

var (
	mode = flag.String("sample.mode", "", "what the suite does around its specs")
	dir  = flag.String("sample.dir", "", "where specs leave their traces")
)

func TestMain(m *testing.M) {
	flag.Parse()
	switch *mode {
	case "usage":
		fmt.Fprintln(os.Stderr, "flag provided but not defined: -kubeconfig")
		os.Exit(1)
	case "silent":
		os.Exit(0)
	case "garbage":
		leaveGarbage()
	case "litters":
		litter()
	}
	status := m.Run()
	if *mode == "status" {
		status = 1 - status
	}
	os.Exit(status)
}

// leaveGarbage writes a report that is none to where one is wanted.
func leaveGarbage() {
	if f := flag.Lookup("ginkgo.json-report"); f != nil {
		_ = os.WriteFile(f.Value.String(), []byte("[{"), 0o600)
	}
	os.Exit(0)
}

// litter leaves a file where temporary ones go.
func litter() {
	f, err := os.CreateTemp("", "sample")
	if err != nil {
		panic(err)
	}
	trace("temporary", f.Name())
	_ = f.Close()
}

func TestSample(t *testing.T) {
	Describe("[sample]", plain)
	Describe("[sample] dying", dying)
	Describe("[sample] names", names)
	Describe("[sample] ordered", Ordered, ordered)
	It("[sample] twin", func() {})
	It("[sample] twin", func() {})
	setup()
	RunSpecs(t, "Sample (v1.0) suite")
	if *mode == "late" {
		t.Error("found after the specs: something leaked")
	}
}

func plain() {
	It("passes", func() {})
	It("passes too", func() {})
	It("tells", func() {
		fmt.Fprintln(GinkgoWriter, "told the writer")
		fmt.Println("told standard output")
	})
	It("fails", func() {
		fmt.Fprintln(GinkgoWriter, "asked for the answer")
		Fail("the answer was 41")
	})
	It("fails at first", func() {
		if _, err := os.Stat(filepath.Join(*dir, "tried")); err != nil {
			trace("tried", "")
			Fail("not yet")
		}
	})
	for i := range 12 {
		It(fmt.Sprintf("fails too, number %d", i), func() { Fail("as always") })
	}
	It("panics", func() { panic("out of towels") })
	It("skips itself", func() { Skip("not on this planet") })
	PIt("is pending", func() {})
	It("runs alone", Serial, func() { time.Sleep(50 * time.Millisecond) })
	It("is slow", func() { time.Sleep(300 * time.Millisecond) })
	It("passes at its second attempt", FlakeAttempts(2), func() {
		if CurrentSpecReport().NumAttempts < 2 {
			Fail("not yet")
		}
	})
	It("leaves a temporary file", litter)
	It("shows its environment", func() {
		fmt.Fprintln(GinkgoWriter, strings.Join(os.Environ(), "\n"))
	})
	if *mode == "focused" {
		FIt("has the focus", func() {})
	}
}

// dying holds specs that end their process, and one that cannot be ended by
// less than a kill.
func dying() {
	for _, status := range []int{0, 1, 7} {
		It(fmt.Sprintf("exits with %d", status), func() {
			fmt.Println("going down")
			os.Exit(status)
		})
	}
	It("exits alone", Serial, func() { os.Exit(7) })
	for i := range 12 {
		It(fmt.Sprintf("exits too, number %d", i), func() { os.Exit(7) })
	}
	Describe("in order", Ordered, func() {
		It("passes first", func() {})
		It("exits then", func() { os.Exit(7) })
		It("never comes", func() {})
	})
	It("aborts the suite", func() { AbortSuite("the planet is gone") })
	It("sends garbage", func() {
		config, _ := GinkgoConfiguration()
		answer, err := http.Post(config.ParallelHost+"/did-run", "application/json", strings.NewReader("{"))
		if err != nil {
			Fail(err.Error())
		}
		_ = answer.Body.Close()
	})
	It("leaves a child", func() { child() })
	It("hangs", func() {
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
		child()
		trace("hangs", fmt.Sprint(os.Getpid()))
		for {
			time.Sleep(time.Hour)
		}
	})
	It("waits to be interrupted", func(ctx context.Context) {
		DeferCleanup(func() { trace("cleaned", "") })
		trace("waits", "")
		<-ctx.Done()
	})
}

// child starts a process that outlives its spec.
func child() {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		Fail(err.Error())
	}
	trace("child", fmt.Sprint(cmd.Process.Pid))
}

// names holds specs whose texts contain one another, and what a regular
// expression would take for more than it says.
func names() {
	It("finds [it] by a.b (c|d)* $1 ^ \\d+? {2}", func() {})
	It("finds [it] by aXb (c|d)* $1 ^ \\d+? {2}", func() { Fail("was not selected") })
	It("is short", func() {})
	It("is short and longer", func() { Fail("was not selected") })
	It("begins with [sample] names is short", func() { Fail("was not selected") })
	Describe("", func() {
		It("stands in a container without a text", func() {})
	})
}

func ordered() {
	It("goes first and fails", func() { Fail("a bad start") })
	It("goes second", func() {})
}

func setup() {
	SynchronizedBeforeSuite(func() []byte {
		switch *mode {
		case "before-fails":
			Fail("no cluster to be found")
		case "before-panics":
			panic("no cluster at all")
		case "before-exits":
			os.Exit(1)
		case "before-skips":
			Skip("not today")
		}
		fmt.Println("set-up speaks")
		return []byte("set up by process 1")
	}, func(data []byte) {
		if string(data) != "set up by process 1" {
			Fail("process 1 sent " + string(data))
		}
		if *mode == "second-fails" && GinkgoParallelProcess() == 2 {
			Fail("process 2 has no luck")
		}
	})
	AfterSuite(func() {
		if *mode == "after-fails" {
			Fail("left a mess")
		}
	})
	ReportBeforeSuite(func(types.Report) {
		if *mode == "report-before-fails" {
			Fail("cannot announce it")
		}
	})
	ReportAfterSuite("sum", func(report types.Report) {
		states := map[string][]string{}
		for _, spec := range report.SpecReports.WithLeafNodeType(types.NodeTypeIt) {
			state := spec.State.String()
			states[state] = append(states[state], spec.FullText())
		}
		text, err := json.Marshal(states)
		if err != nil {
			Fail(err.Error())
		}
		trace("sum", string(text))
	})
}

// trace leaves a file that the test can see from outside.
func trace(name, text string) {
	if *dir == "" {
		return
	}
	file := filepath.Join(*dir, name)
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		Fail(err.Error())
	}
	if err := os.Rename(file+".new", file); err != nil {
		Fail(err.Error())
	}
}

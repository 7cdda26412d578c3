package power

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/power/powertest"
)

// machine starts a controller, and is one of its machines.
func machine(t testing.TB, systems ...*powertest.System) (*Machine, *powertest.BMC) {
	t.Helper()
	b := powertest.Start(systems...)
	t.Cleanup(b.Close)
	return at(t, b, func(*Target) {}), b
}

// at is a machine of a controller, with a target that was varied.
func at(t testing.TB, b *powertest.BMC, vary func(*Target)) *Machine {
	t.Helper()
	target := Target{Name: "m1", Address: b.Address, User: powertest.User, Password: powertest.Password, Pin: b.Pin}
	vary(&target)
	m, err := New(target, Options{Pace: time.Millisecond, Patience: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const resetAt = "POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset "

func asked(way string) string { return fmt.Sprintf(`%s{"ResetType":%q}`, resetAt, way) }

// Each action, from each state, on services that allow different things: what
// is asked for is allowed, and the machine ends in the state.
func TestActions(t *testing.T) {
	for name, tt := range map[string]struct {
		system powertest.System
		do     func(*Machine, context.Context) error
		asked  []string
		power  string
		fails  string
	}{
		"on":                       {*powertest.Server("1", "Off"), (*Machine).On, []string{asked("On")}, "On", ""},
		"on already":               {*powertest.Server("1", "On"), (*Machine).On, nil, "On", ""},
		"on by force":              {powertest.System{ID: "1", Power: "Off", Resets: []string{"ForceOn"}}, (*Machine).On, []string{asked("ForceOn")}, "On", ""},
		"on by the button":         {powertest.System{ID: "1", Power: "Off", Resets: []string{"PushPowerButton"}}, (*Machine).On, []string{asked("PushPowerButton")}, "On", ""},
		"on in an ActionInfo":      {powertest.System{ID: "1", Power: "Off", Resets: []string{"ForceOn"}, Info: true}, (*Machine).On, []string{asked("ForceOn")}, "On", ""},
		"on is not allowed":        {powertest.System{ID: "1", Power: "Off", Resets: []string{"Nmi"}}, (*Machine).On, nil, "Off", "does not allow any of On, ForceOn, PushPowerButton, only Nmi"},
		"on, nothing is listed":    {powertest.System{ID: "1", Power: "Off"}, (*Machine).On, []string{asked("On")}, "Off", "is not in the list of acceptable values"},
		"off":                      {*powertest.Server("1", "On"), (*Machine).Off, []string{asked("ForceOff")}, "Off", ""},
		"off already":              {*powertest.Server("1", "Off"), (*Machine).Off, nil, "Off", ""},
		"off gracefully":           {powertest.System{ID: "1", Power: "On", Resets: []string{"GracefulShutdown"}}, (*Machine).Off, []string{asked("GracefulShutdown")}, "Off", ""},
		"off is slow":              {powertest.System{ID: "1", Power: "On", Resets: []string{"ForceOff"}, Lag: 5}, (*Machine).Off, []string{asked("ForceOff")}, "Off", ""},
		"cycle":                    {*powertest.Server("1", "On"), (*Machine).Cycle, []string{asked("PowerCycle")}, "On", ""},
		"cycle by a restart":       {powertest.System{ID: "1", Power: "On", Resets: []string{"On", "ForceOff", "ForceRestart"}}, (*Machine).Cycle, []string{asked("ForceRestart")}, "On", ""},
		"cycle by off and on":      {powertest.System{ID: "1", Power: "On", Resets: []string{"On", "ForceOff"}}, (*Machine).Cycle, []string{asked("ForceOff"), asked("On")}, "On", ""},
		"cycle of one that is off": {*powertest.Server("1", "Off"), (*Machine).Cycle, []string{asked("On")}, "On", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, b := machine(t, &tt.system)
			err := tt.do(m, t.Context())
			if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails) || !strings.HasPrefix(err.Error(), "power of m1: ")) {
				t.Errorf("%v, want %q", err, tt.fails)
			}
			if got := b.Asked(); !slices.Equal(got, tt.asked) {
				t.Errorf("asked for %q, want %q", got, tt.asked)
			}
			if state, err := m.State(t.Context()); err != nil || state != tt.power {
				t.Errorf("it is %s, %v", state, err)
			}
		})
	}
}

func TestBootOnce(t *testing.T) {
	m, b := machine(t, powertest.Server("1", "On"))
	for from, target := range map[string]string{PXE: "Pxe", Disk: "Hdd"} {
		if err := m.BootOnce(t.Context(), from); err != nil {
			t.Fatal(err)
		}
		if got := b.Asked()[len(b.Asked())-1]; got != fmt.Sprintf(`PATCH /redfish/v1/Systems/1 {"Boot":{"BootSourceOverrideEnabled":"Once","BootSourceOverrideTarget":%q}}`, target) {
			t.Errorf("%s: %s", from, got)
		}
	}
	if err := m.BootOnce(t.Context(), "floppy"); err == nil || !strings.Contains(err.Error(), `"floppy" is nothing to boot from`) {
		t.Error(err)
	}
	few, b := machine(t, &powertest.System{ID: "1", Power: "On", Boots: []string{"None", "Hdd"}})
	if err := few.BootOnce(t.Context(), PXE); err == nil || !strings.Contains(err.Error(), "does not allow booting from Pxe, only None, Hdd") || len(b.Asked()) > 0 {
		t.Errorf("%v, asked %q", err, b.Asked())
	}
	deaf, _ := machine(t, &powertest.System{ID: "1", Power: "On", Boots: []string{"Pxe"}, Deaf: true, BootTarget: "None", BootEnabled: "Disabled"})
	if err := deaf.BootOnce(t.Context(), PXE); err == nil || !strings.Contains(err.Error(), `took it and says "None" "Disabled"`) {
		t.Error(err)
	}
}

// A machine that does not do what it was told is waited for, and no longer.
func TestWaitsAreBounded(t *testing.T) {
	m, b := machine(t, &powertest.System{ID: "1", Power: "On", Resets: []string{"ForceOff"}, Deaf: true})
	m.options.Patience = 50 * time.Millisecond
	if err := m.Off(t.Context()); err == nil || !strings.Contains(err.Error(), "it is On and not Off 50ms after it was told") {
		t.Error(err)
	}
	m.options.Patience = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	b.Hook(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			cancel()
		}
		return false
	})
	if err := m.Off(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Who answers must be who was meant, and nobody else gets the password.
func TestWhoAnswers(t *testing.T) {
	b := powertest.Start(powertest.Server("1", "On"))
	defer b.Close()
	for name, tt := range map[string]struct {
		vary func(*Target)
		want string
	}{
		"pinned":         {func(*Target) {}, ""},
		"upper case pin": {func(t *Target) { t.Pin = strings.ToUpper(t.Pin) }, ""},
		"insecure":       {func(t *Target) { t.Pin, t.Insecure = "", true }, ""},
		"verified":       {func(t *Target) { t.Pin = "" }, "certificate"},
		"another pin":    {func(t *Target) { t.Pin = strings.Repeat("0", 64) }, "its certificate is not the pinned one: it has the SHA-256 " + b.Pin},
		"pin, insecure":  {func(t *Target) { t.Pin, t.Insecure = strings.Repeat("0", 64), true }, "not the pinned one"},
		"password":       {func(t *Target) { t.Password = "wrong" }, "says 401: A general error has occurred. There is no valid session"},
		"user":           {func(t *Target) { t.User = "nobody" }, "see its user and its password"},
		"system":         {func(t *Target) { t.System = "1" }, ""},
		"other system":   {func(t *Target) { t.System = "2" }, `has no machine "2", but 1`},
	} {
		_, err := at(t, b, tt.vary).State(t.Context())
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), powertest.Password) {
			t.Errorf("%s: the password is told: %v", name, err)
		}
	}
	if _, err := New(Target{Name: "m1", Pin: "abc"}, Options{}); err == nil || !strings.Contains(err.Error(), "want 64 hexadecimal digits") {
		t.Error(err)
	}
	several, _ := machine(t, powertest.Server("1", "On"), powertest.Server("2", "Off"))
	if _, err := several.State(t.Context()); err == nil || !strings.Contains(err.Error(), "has the machines 1, 2; say which") {
		t.Error(err)
	}
	several.target.System = "2"
	if state, err := several.State(t.Context()); err != nil || state != StateOff {
		t.Errorf("%s, %v", state, err)
	}
}

// A service that does not behave ends in an error, soon, and leads nowhere else.
func TestHostileServices(t *testing.T) {
	other := powertest.Start(powertest.Server("1", "On"))
	defer other.Close()
	var elsewhere bool
	other.Hook(func(http.ResponseWriter, *http.Request) bool { elsewhere = true; return false })
	say := func(code int, text string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, text)
			return true
		}
	}
	for name, tt := range map[string]struct {
		hook func(http.ResponseWriter, *http.Request) bool
		want string
	}{
		"no JSON":       {say(200, "<html>"), "asking whether it is on"},
		"empty":         {say(200, ""), "asking whether it is on"},
		"no members":    {say(200, `{"Members":[]}`), `has no machine ""`},
		"an error page": {say(500, "\x1b[2Jboom\n"+strings.Repeat("x", 5000)), "says 500: [2Jboom xxx"},
		"without end": {func(w http.ResponseWriter, _ *http.Request) bool {
			for {
				if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<16)); err != nil {
					return true
				}
			}
		}, "more than 4194304 bytes"},
		"links to another": {say(200, `{"Members":[{"@odata.id":"@`+other.Address+`/redfish/v1/Systems/1"}]}`), "asking whether it is on"},
		"a redirect to another": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "https://"+other.Address+"/redfish/v1/Systems", http.StatusTemporaryRedirect)
			return true
		}, "asking whether it is on"},
		"says no state": {func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/1") {
				_, _ = io.WriteString(w, `{"@odata.id":"/redfish/v1/Systems/1","Id":"1"}`)
				return true
			}
			return false
		}, "does not say whether it is on"},
	} {
		m, b := machine(t, powertest.Server("1", "On"))
		m.target.Pin, m.target.Insecure = "", true
		b.Hook(tt.hook)
		_, err := m.State(t.Context())
		if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if elsewhere {
		t.Error("another machine was sent the password")
	}
}

// An independent client, Debian's redfishtool, finds the controller of these
// tests to be one: what it is told here, it is told by others.
func TestControllerOfTheTests(t *testing.T) {
	tool, err := exec.LookPath("redfishtool")
	if err != nil {
		t.Skip("redfishtool is not installed: apt-get install redfishtool")
	}
	s := powertest.Server("1", "On")
	m, b := machine(t, s)
	run := func(args ...string) (string, error) {
		out, err := exec.Command(tool, append([]string{"-n", "-r", b.Address, "-u", powertest.User, "-p", powertest.Password, "-A", "Basic", "-S", "Always", "Systems"}, args...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := run("-1", "-P", "PowerState", "get"); err != nil || !strings.Contains(out, `"PowerState": "On"`) {
		t.Errorf("get: %v: %s", err, out)
	}
	if out, err := run("-1", "reset", "ForceOff"); err != nil {
		t.Errorf("reset: %v: %s", err, out)
	}
	if state, err := m.State(t.Context()); err != nil || state != StateOff {
		t.Errorf("after its ForceOff it is %s, %v", state, err)
	}
	if err := m.On(t.Context()); err != nil {
		t.Error(err)
	}
	if out, err := run("-1", "-P", "PowerState", "get"); err != nil || !strings.Contains(out, `"PowerState": "On"`) {
		t.Errorf("after our On: %v: %s", err, out)
	}
	if out, err := run("-1", "reset", "Nmi"); err == nil {
		t.Errorf("what is not allowed: %s", out)
	}
	if err := m.BootOnce(t.Context(), PXE); err != nil {
		t.Error(err)
	}
	if out, err := run("-1", "-P", "Boot", "get"); err != nil || !strings.Contains(out, `"BootSourceOverrideTarget": "Pxe"`) {
		t.Errorf("after our BootOnce: %v: %s", err, out)
	}
	if out, err := run("-1", "setBootOverride", "Once", "Hdd"); err != nil || s.BootTarget != "Hdd" {
		t.Errorf("setBootOverride: %v: %s", err, out)
	}
}

// Package powertest is a management controller for tests: a Redfish service
// that is as strict as real ones are, and keeps what it was asked.
package powertest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// The login that the service accepts.
const (
	User     = "admin"
	Password = "correct-horse-battery"
)

// System is a machine behind a controller.
type System struct {
	ID    string
	Power string // "On" or "Off"
	// Resets and Boots are what is allowed. With Info the resets stand in an
	// ActionInfo of its own, as some services have it.
	Resets, Boots []string
	Info          bool
	// Lag is how many times the old state is told after a reset.
	Lag int
	// Deaf takes what it is told and does nothing.
	Deaf bool

	BootTarget, BootEnabled string
	lag                     int
	next                    string
}

// BMC is a controller.
type BMC struct {
	Address string // host:port
	Pin     string // SHA-256 of its certificate

	server  *httptest.Server
	mu      sync.Mutex
	systems []*System
	asked   []string // "POST /redfish/v1/… {"ResetType":"On"}", reads left out
	hook    func(w http.ResponseWriter, r *http.Request) bool
}

// Start starts a controller with some machines. Close ends it.
func Start(systems ...*System) *BMC {
	b := &BMC{systems: systems}
	for _, s := range systems {
		s.next = s.Power
	}
	b.server = httptest.NewTLSServer(b)
	b.Address = b.server.Listener.Addr().String()
	sum := sha256.Sum256(b.server.Certificate().Raw)
	b.Pin = hex.EncodeToString(sum[:])
	return b
}

// Server is a machine of the usual kind, with an id and a state.
func Server(id, power string) *System {
	return &System{
		ID: id, Power: power, Resets: []string{"On", "ForceOff", "GracefulShutdown", "ForceRestart", "PowerCycle"},
		Boots: []string{"None", "Pxe", "Hdd", "Cd"}, BootTarget: "None", BootEnabled: "Disabled",
	}
}

// Close ends the controller.
func (b *BMC) Close() { b.server.Close() }

// Asked are the changes that were asked for, also those that were refused.
func (b *BMC) Asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

// Hook is called with each request that has shown who it is; it answers, and
// says that it did. nil hears nothing.
func (b *BMC) Hook(hook func(w http.ResponseWriter, r *http.Request) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hook = hook
}

// Do calls f while the controller does nothing.
func (b *BMC) Do(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

const root = "/redfish/v1/"

// ServeHTTP is the service.
func (b *BMC) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	path := strings.TrimSuffix(r.URL.Path, "/") + "/"
	// The root, and it alone, is told to everybody.
	if r.Method == http.MethodGet && path == "/redfish/" {
		answer(w, map[string]any{"v1": root})
		return
	}
	if r.Method == http.MethodGet && path == root {
		answer(w, map[string]any{
			"@odata.id": root, "@odata.type": "#ServiceRoot.v1_9_0.ServiceRoot", "Id": "RootService", "Name": "Root", "RedfishVersion": "1.11.0",
			"Systems": link(root + "Systems"),
		})
		return
	}
	user, password, ok := r.BasicAuth()
	if !ok || user != User || password != Password {
		w.Header().Set("WWW-Authenticate", `Basic realm="bmc"`)
		refuse(w, http.StatusUnauthorized, "Base.1.8.NoValidSession", "There is no valid session established with the implementation.")
		return
	}
	if b.hook != nil && b.hook(w, r) {
		return
	}
	if path == root+"Systems/" {
		b.only(w, r, http.MethodGet, func() {
			var members []any
			for _, s := range b.systems {
				members = append(members, link(root+"Systems/"+s.ID))
			}
			answer(w, map[string]any{
				"@odata.id": root + "Systems", "@odata.type": "#ComputerSystemCollection.ComputerSystemCollection", "Name": "Systems",
				"Members": members, "Members@odata.count": len(members),
			})
		})
		return
	}
	for _, s := range b.systems {
		if rest, found := strings.CutPrefix(path, root+"Systems/"+s.ID+"/"); found {
			b.system(w, r, s, rest)
			return
		}
	}
	refuse(w, http.StatusNotFound, "Base.1.8.ResourceMissingAtURI", "The resource at the URI was not found.")
}

// system answers below one machine.
func (b *BMC) system(w http.ResponseWriter, r *http.Request, s *System, rest string) {
	switch {
	case rest == "" && r.Method == http.MethodPatch:
		b.change(w, r, func(body map[string]any) (int, string) { return s.boot(body) })
	case rest == "":
		b.only(w, r, http.MethodGet, func() {
			if s.lag--; s.lag < 0 {
				s.Power = s.next
			}
			answer(w, s.resource())
		})
	case rest == "Actions/ComputerSystem.Reset/":
		b.only(w, r, http.MethodPost, func() {
			b.change(w, r, func(body map[string]any) (int, string) { return s.reset(body) })
		})
	case rest == "ResetActionInfo/" && s.Info:
		b.only(w, r, http.MethodGet, func() {
			answer(w, map[string]any{
				"@odata.id": s.at("ResetActionInfo"), "@odata.type": "#ActionInfo.v1_1_2.ActionInfo", "Id": "ResetActionInfo", "Name": "Reset",
				"Parameters": []any{map[string]any{"Name": "ResetType", "Required": true, "DataType": "String", "AllowableValues": s.Resets}},
			})
		})
	default:
		refuse(w, http.StatusNotFound, "Base.1.8.ResourceMissingAtURI", "The resource at the URI was not found.")
	}
}

// only lets one method through.
func (b *BMC) only(w http.ResponseWriter, r *http.Request, method string, do func()) {
	if r.Method != method {
		w.Header().Set("Allow", method)
		refuse(w, http.StatusMethodNotAllowed, "Base.1.8.OperationNotAllowed", "The HTTP method is not allowed on this resource.")
		return
	}
	do()
}

// change reads a body as strictly as a service may, and answers what do says of it.
func (b *BMC) change(w http.ResponseWriter, r *http.Request, do func(map[string]any) (int, string)) {
	data, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	b.asked = append(b.asked, fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, data))
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var body map[string]any
	switch {
	case kind != "application/json":
		refuse(w, http.StatusUnsupportedMediaType, "Base.1.8.HeaderInvalid", "The body is no JSON.")
	case err != nil || json.Unmarshal(data, &body) != nil:
		refuse(w, http.StatusBadRequest, "Base.1.8.MalformedJSON", "The request body submitted was malformed JSON.")
	default:
		if code, message := do(body); code != 0 {
			refuse(w, code, "Base.1.8.ActionParameterValueNotInList", message)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// reset does what a machine is told; a code is a refusal.
func (s *System) reset(body map[string]any) (code int, message string) {
	way, ok := body["ResetType"].(string)
	switch {
	case !ok || len(body) != 1:
		return http.StatusBadRequest, "The action ComputerSystem.Reset requires the parameter ResetType and no other."
	case !slices.Contains(s.Resets, way):
		return http.StatusBadRequest, fmt.Sprintf("The value %s for the parameter ResetType is not in the list of acceptable values.", way)
	case s.Power == "On" && (way == "On" || way == "ForceOn"), s.Power == "Off" && way != "On" && way != "ForceOn" && way != "PushPowerButton":
		return http.StatusConflict, "The machine is in a state in which this is not possible."
	case s.Deaf:
		return 0, ""
	}
	s.lag = s.Lag
	switch way {
	case "ForceOff", "GracefulShutdown":
		s.next = "Off"
	case "PushPowerButton":
		s.next = map[string]string{"On": "Off", "Off": "On"}[s.Power]
	default:
		s.next = "On"
	}
	return 0, ""
}

// boot sets what comes next; a code is a refusal.
func (s *System) boot(body map[string]any) (code int, message string) {
	boot, ok := body["Boot"].(map[string]any)
	if !ok || len(body) != 1 {
		return http.StatusBadRequest, "Only the property Boot can be written."
	}
	target, enabled := s.BootTarget, s.BootEnabled
	for name, value := range boot {
		text, is := value.(string)
		switch {
		case is && name == "BootSourceOverrideTarget" && slices.Contains(s.Boots, text):
			target = text
		case is && name == "BootSourceOverrideEnabled" && slices.Contains([]string{"Disabled", "Once", "Continuous"}, text):
			enabled = text
		default:
			return http.StatusBadRequest, fmt.Sprintf("The property %s cannot have that value, or cannot be written.", name)
		}
	}
	if !s.Deaf {
		s.BootTarget, s.BootEnabled = target, enabled
	}
	return 0, ""
}

func (s *System) at(rest string) string { return root + "Systems/" + s.ID + "/" + rest }

// resource is the machine as the service describes it.
func (s *System) resource() map[string]any {
	reset := map[string]any{"target": s.at("Actions/ComputerSystem.Reset")}
	if s.Info {
		reset["@Redfish.ActionInfo"] = s.at("ResetActionInfo")
	} else if s.Resets != nil {
		reset["ResetType@Redfish.AllowableValues"] = s.Resets
	}
	return map[string]any{
		"@odata.id": root + "Systems/" + s.ID, "@odata.type": "#ComputerSystem.v1_13_0.ComputerSystem", "Id": s.ID, "Name": "System " + s.ID,
		"SystemType": "Physical", "PowerState": s.Power,
		"Boot": map[string]any{
			"BootSourceOverrideEnabled": s.BootEnabled, "BootSourceOverrideTarget": s.BootTarget,
			"BootSourceOverrideTarget@Redfish.AllowableValues": s.Boots,
		},
		"Actions": map[string]any{"#ComputerSystem.Reset": reset},
	}
}

func link(to string) map[string]any { return map[string]any{"@odata.id": to} }

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("OData-Version", "4.0")
	_ = json.NewEncoder(w).Encode(body)
}

// refuse answers as the standard has errors.
func refuse(w http.ResponseWriter, code int, id, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": "Base.1.8.GeneralError", "message": "A general error has occurred.",
		"@Message.ExtendedInfo": []any{map[string]any{"MessageId": id, "Message": message}},
	}})
}

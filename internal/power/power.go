// Package power switches machines on and off and says what they boot next, by
// the Redfish service of their management controllers (BMCs).
//
// What such a service says comes from outside: answers are bounded in time and
// size, its links lead to no other machine, and an action is only asked for
// where the service says that it allows it.
package power

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stmcginnis/gofish"
	"github.com/stmcginnis/gofish/schemas"
)

// Target is a management controller, and the machine behind it.
type Target struct {
	Name     string // of the machine, for messages
	Address  string // host:port
	User     string
	Password string
	// Pin is the SHA-256 of the controller's certificate, 64 hexadecimal digits;
	// "" has it verified as a browser does. Insecure leaves it unverified, where
	// both are set: who answers there gets the password.
	Pin      string
	Insecure bool
	System   string // the Id of the machine, where the controller has several; "" is the only one
}

// Options bound what is waited for. The zero value has the usual ones.
type Options struct {
	Pace     time.Duration // between two looks at a machine
	Patience time.Duration // for a machine to do what it was told
}

// The usual options. A machine takes seconds to switch; a graceful shutdown
// takes as long as its services do.
const (
	usualPace     = 2 * time.Second
	usualPatience = 3 * time.Minute
)

// Machine is a machine whose power is switched. It holds no connection.
type Machine struct {
	target  Target
	options Options
}

// New makes a machine. Nothing is sent yet.
func New(t Target, o Options) (*Machine, error) {
	if t.Pin != "" && !pinForm.MatchString(t.Pin) {
		return nil, fmt.Errorf("power of %s: the pin is no SHA-256 of a certificate: want 64 hexadecimal digits", t.Name)
	}
	if o.Pace == 0 {
		o.Pace = usualPace
	}
	if o.Patience == 0 {
		o.Patience = usualPatience
	}
	return &Machine{target: t, options: o}, nil
}

// The states of a machine that are waited for. A service may say others.
const (
	StateOn  = "On"
	StateOff = "Off"
)

// State is what the service says of the machine: StateOn, StateOff, or a word
// for what is between.
func (m *Machine) State(ctx context.Context) (state string, err error) {
	err = m.with(ctx, func(s *schemas.ComputerSystem) error {
		state = tidy(string(s.PowerState))
		if state == "" {
			return errors.New("its service does not say whether it is on")
		}
		return nil
	})
	if err != nil {
		return "", m.explain("asking whether it is on", err)
	}
	return state, nil
}

// On switches the machine on, and returns when it is.
func (m *Machine) On(ctx context.Context) error {
	return m.become(ctx, StateOn, schemas.OnResetType, schemas.ForceOnResetType, schemas.PushPowerButtonResetType)
}

// Off cuts the machine's power, and returns when it is off. A machine that does
// not answer would not shut down; where cutting is not allowed, that is asked for.
func (m *Machine) Off(ctx context.Context) error {
	return m.become(ctx, StateOff, schemas.ForceOffResetType, schemas.GracefulShutdownResetType)
}

// Cycle has the machine start anew, whatever it does, and returns when it is
// on. One action of the service is preferred to off and on: who is killed
// between the two would leave it off. Whether it has really started anew only
// the machine itself can tell.
func (m *Machine) Cycle(ctx context.Context) error {
	state, err := m.State(ctx)
	if err != nil {
		return err
	}
	if state == StateOff {
		return m.On(ctx)
	}
	err = m.reset(ctx, schemas.PowerCycleResetType, schemas.ForceRestartResetType)
	var none *notAllowedError
	if errors.As(err, &none) {
		if err := m.Off(ctx); err != nil {
			return err
		}
		return m.On(ctx)
	}
	if err != nil {
		return m.explain("starting it anew", err)
	}
	return m.await(ctx, state, StateOn)
}

// The sources that a machine can be told to boot from.
const (
	PXE  = "pxe"
	Disk = "disk"
)

// BootOnce has the machine boot from PXE or Disk the next time, and only then.
func (m *Machine) BootOnce(ctx context.Context, from string) error {
	source := map[string]schemas.BootSource{PXE: schemas.PxeBootSource, Disk: schemas.HddBootSource}[from]
	if source == "" {
		return fmt.Errorf("%q is nothing to boot from: %s or %s", from, PXE, Disk)
	}
	err := m.with(ctx, func(s *schemas.ComputerSystem) error {
		if allowed := s.Boot.AllowableBootSourceOverrideTargetValues; len(allowed) > 0 && !slices.Contains(allowed, source) {
			return &notAllowedError{"booting from " + string(source), texts(allowed)}
		}
		return s.SetBoot(&schemas.Boot{BootSourceOverrideTarget: source, BootSourceOverrideEnabled: schemas.OnceBootSourceOverrideEnabled})
	})
	if err == nil {
		// Some services take what they then do not do.
		err = m.with(ctx, func(s *schemas.ComputerSystem) error {
			if s.Boot.BootSourceOverrideTarget != source || s.Boot.BootSourceOverrideEnabled != schemas.OnceBootSourceOverrideEnabled {
				return fmt.Errorf("its service took it and says %q %q", tidy(string(s.Boot.BootSourceOverrideTarget)), tidy(string(s.Boot.BootSourceOverrideEnabled)))
			}
			return nil
		})
	}
	if err != nil {
		return m.explain("having it boot once from "+from, err)
	}
	return nil
}

// become brings the machine to a state by the first of some actions that its
// service allows.
func (m *Machine) become(ctx context.Context, state string, ways ...schemas.ResetType) error {
	now, err := m.State(ctx)
	if err != nil || now == state {
		return err
	}
	if err := m.reset(ctx, ways...); err != nil {
		return m.explain("switching it "+strings.ToLower(state), err)
	}
	return m.await(ctx, now, state)
}

// reset asks for the first of some actions that the service allows. One that
// does not say what it allows is asked for the first.
func (m *Machine) reset(ctx context.Context, ways ...schemas.ResetType) error {
	return m.with(ctx, func(s *schemas.ComputerSystem) error {
		allowed, err := s.GetSupportedResetTypes()
		if err != nil {
			return fmt.Errorf("asking what it allows: %w", err)
		}
		for _, way := range ways {
			if len(allowed) == 0 || slices.Contains(allowed, way) {
				_, err := s.Reset(way)
				return err
			}
		}
		return &notAllowedError{"any of " + strings.Join(texts(ways), ", "), texts(allowed)}
	})
}

// await waits until the service says a state. An answer that does not come is
// asked for again: a controller may be busy with what it was told.
func (m *Machine) await(ctx context.Context, was, state string) error {
	within, cancel := context.WithTimeout(ctx, m.options.Patience)
	defer cancel()
	for {
		now, err := m.State(within)
		if err == nil && now == state {
			return nil
		}
		if err == nil {
			was = now
		}
		select {
		case <-within.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("power of %s: waiting until it is %s: %w", m.target.Name, state, ctx.Err())
			}
			text := fmt.Sprintf("power of %s: it is %s and not %s %s after it was told", m.target.Name, was, state, m.options.Patience)
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("%s: %w", text, err)
			}
			return errors.New(text)
		case <-time.After(m.options.Pace):
		}
	}
}

// notAllowedError is an action that the service does not offer.
type notAllowedError struct {
	what    string
	allowed []string
}

// Error names what is allowed.
func (e *notAllowedError) Error() string {
	return fmt.Sprintf("its service does not allow %s, only %s", e.what, strings.Join(e.allowed, ", "))
}

// explain makes an error one of the machine. What a service has said of itself
// is told, shortened; the password is in no answer of a service, and the caller
// has it redacted.
func (m *Machine) explain(doing string, err error) error {
	remedy := ""
	var said *schemas.Error
	if errors.As(err, &said) {
		switch said.HTTPReturnedStatusCode {
		case 401, 403:
			remedy = "; see its user and its password"
		}
		err = fmt.Errorf("its service at %s says %d: %s", m.target.Address, said.HTTPReturnedStatusCode, words(said))
	}
	return fmt.Errorf("power of %s: %s: %w%s", m.target.Name, doing, tidied{err}, remedy)
}

// tidied is an error whose text may be from outside.
type tidied struct{ err error }

// Error is one short line.
func (e tidied) Error() string { return tidy(e.err.Error()) }

// Unwrap returns the cause.
func (e tidied) Unwrap() error { return e.err }

// first is what went wrong first while a list was fetched: the library keeps
// that in a form that hides what it was.
func first(err error) error {
	var list *schemas.CollectionError
	if !errors.As(err, &list) || list.Empty() {
		return err
	}
	return list.Failures[slices.Min(slices.Collect(maps.Keys(list.Failures)))]
}

// words are what a service has to say about an error.
func words(said *schemas.Error) string {
	all := []string{said.Message}
	for _, more := range said.ExtendedInfos {
		all = append(all, more.Message)
	}
	return tidy(strings.Join(all, " "))
}

// tidy makes one short line of a text from outside.
func tidy(text string) string {
	const most = 300
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text)), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

func texts[T ~string](values []T) []string {
	var all []string
	for _, v := range values {
		all = append(all, tidy(string(v)))
	}
	return all
}

// with calls do with the machine as its service describes it now.
func (m *Machine) with(ctx context.Context, do func(*schemas.ComputerSystem) error) (err error) {
	client, end, err := m.client()
	if err != nil {
		return err
	}
	defer end()
	// Who the user is goes along with each request: a session would have to be
	// ended, and controllers have few of them.
	api, err := gofish.ConnectContext(ctx, gofish.ClientConfig{
		Endpoint: "https://" + m.target.Address, Username: m.target.User, Password: m.target.Password, BasicAuth: true,
		HTTPClient: client, Insecure: m.target.Insecure || m.target.Pin != "",
	})
	if err != nil {
		return err
	}
	systems, err := api.Service.Systems()
	if err != nil {
		return first(err)
	}
	slices.SortFunc(systems, func(a, b *schemas.ComputerSystem) int { return strings.Compare(a.ID, b.ID) })
	s, err := m.choose(systems)
	if err != nil {
		return err
	}
	return do(s)
}

// choose finds the machine among those that a controller has.
func (m *Machine) choose(systems []*schemas.ComputerSystem) (*schemas.ComputerSystem, error) {
	var ids []string
	for _, s := range systems {
		if m.target.System == s.ID || m.target.System == "" && len(systems) == 1 {
			return s, nil
		}
		ids = append(ids, tidy(s.ID))
	}
	if m.target.System == "" && len(ids) > 0 {
		return nil, fmt.Errorf("its controller has the machines %s; say which one is meant by its system", strings.Join(ids, ", "))
	}
	return nil, fmt.Errorf("its controller has no machine %q, but %s", m.target.System, strings.Join(ids, ", "))
}

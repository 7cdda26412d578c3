// Package remotetest is an SSH server in the process of a test. It does with a
// command what the test says, and can be cut off, stalled and counted.
package remotetest

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Command is one that a client sent.
type Command struct {
	User, Line string
	Stdin      io.Reader
	Stdout     io.Writer
	Stderr     io.Writer
	Gone       <-chan struct{} // closed when the client has closed the session
}

// Server is a listening server.
type Server struct {
	Address string // "127.0.0.1:port"
	HostKey string // as in authorized_keys

	run      func(Command) int
	config   *ssh.ServerConfig
	listener net.Listener

	mu       sync.Mutex
	conns    map[net.Conn]bool
	commands []string
	logins   int
	tried    int // secrets that clients sent to log in
	stalled  chan struct{}
	away     bool
}

// Options say who may log in. Both empty: nobody.
type Options struct {
	Password string
	Key      string // authorized, as in authorized_keys
	Run      func(Command) int
	Address  string // to listen at; "" is any port of 127.0.0.1
}

// Start starts a server.
func Start(o Options) (*Server, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", cmp.Or(o.Address, "127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	s := &Server{
		Address: listener.Addr().String(), HostKey: string(ssh.MarshalAuthorizedKey(signer.PublicKey())),
		run: o.Run, listener: listener, conns: map[net.Conn]bool{},
	}
	s.config = s.login(o)
	s.config.AddHostKey(signer)
	go s.accept()
	return s, nil
}

func (s *Server) login(o Options) *ssh.ServerConfig {
	config := &ssh.ServerConfig{}
	if o.Password != "" {
		config.PasswordCallback = func(_ ssh.ConnMetadata, got []byte) (*ssh.Permissions, error) {
			s.mu.Lock()
			s.tried++
			s.mu.Unlock()
			if string(got) != o.Password {
				return nil, errors.New("wrong password")
			}
			return nil, nil
		}
	}
	if o.Key != "" {
		config.PublicKeyCallback = func(_ ssh.ConnMetadata, got ssh.PublicKey) (*ssh.Permissions, error) {
			if string(ssh.MarshalAuthorizedKey(got)) != o.Key {
				return nil, errors.New("unknown key")
			}
			return nil, nil
		}
	}
	return config
}

// Key makes a key to log in with: the private one in OpenSSH's form, and the
// public one as in authorized_keys.
func Key() (private []byte, public string, err error) {
	key, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", err
	}
	block, err := ssh.MarshalPrivateKey(secret, "test")
	if err != nil {
		return nil, "", err
	}
	authorized, err := ssh.NewPublicKey(key)
	if err != nil {
		return nil, "", err
	}
	return pem.EncodeToMemory(block), string(ssh.MarshalAuthorizedKey(authorized)), nil
}

// Close ends the server and all connections.
func (s *Server) Close() {
	_ = s.listener.Close()
	s.Cut()
}

// Cut ends all connections; new ones are taken.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
	}
}

// Away makes the server one that does not answer, or answers again.
func (s *Server) Away(away bool) {
	s.mu.Lock()
	s.away = away
	s.mu.Unlock()
	if away {
		s.Cut()
	}
}

// Stall lets nothing more in until the returned function is called, as a
// network that is away does.
func (s *Server) Stall() (resume func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	s.stalled = gate
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.stalled = nil
		s.mu.Unlock()
		close(gate)
	}
}

// Commands are what clients have sent, in the order in which it came.
func (s *Server) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands)
}

// Logins counts the logins that succeeded, and Tried the passwords that came.
func (s *Server) Logins() int { s.mu.Lock(); defer s.mu.Unlock(); return s.logins }

// Tried counts the passwords that clients sent.
func (s *Server) Tried() int { s.mu.Lock(); defer s.mu.Unlock(); return s.tried }

// gated is a connection that can be stalled.
type gated struct {
	net.Conn
	server *Server
}

// Read waits while the server is stalled.
func (g gated) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	g.server.mu.Lock()
	gate := g.server.stalled
	g.server.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return n, err
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		away := s.away
		s.conns[conn] = !away
		s.mu.Unlock()
		if away {
			_ = conn.Close()
			continue
		}
		go s.serve(conn)
	}
}

func (s *Server) serve(conn net.Conn) {
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	over, channels, requests, err := ssh.NewServerConn(gated{conn, s}, s.config)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.logins++
	s.mu.Unlock()
	go func() {
		for r := range requests {
			_ = r.Reply(r.WantReply, nil)
		}
	}()
	for c := range channels {
		switch c.ChannelType() {
		case "session":
			go s.session(over.User(), c)
		case "direct-tcpip":
			go forward(c)
		default:
			_ = c.Reject(ssh.UnknownChannelType, c.ChannelType())
		}
	}
}

func (s *Server) session(user string, offer ssh.NewChannel) {
	channel, requests, err := offer.Accept()
	if err != nil {
		return
	}
	gone := make(chan struct{})
	defer func() { _ = channel.Close() }()
	for r := range requests {
		if r.Type != "exec" {
			_ = r.Reply(false, nil)
			continue
		}
		var payload struct{ Line string }
		if err := ssh.Unmarshal(r.Payload, &payload); err != nil {
			_ = r.Reply(false, nil)
			return
		}
		_ = r.Reply(true, nil)
		s.mu.Lock()
		s.commands = append(s.commands, payload.Line)
		s.mu.Unlock()
		go func() {
			for range requests { // signals, and the end
			}
			close(gone)
		}()
		code := s.run(Command{User: user, Line: payload.Line, Stdin: channel, Stdout: channel, Stderr: channel.Stderr(), Gone: gone})
		_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
		return
	}
}

// forward is what a bastion does.
func forward(offer ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(offer.ExtraData(), &to); err != nil {
		_ = offer.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(to.Host, fmt.Sprint(to.Port)))
	if err != nil {
		_ = offer.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := offer.Accept()
	if err != nil {
		_ = conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(channel, conn)
		_ = channel.Close()
	}()
	_, _ = io.Copy(conn, channel)
	_ = conn.Close()
}

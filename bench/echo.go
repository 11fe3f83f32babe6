//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pyselect/pyselect/internal/process"
)

// A server is an echo server that is compared, with the limits for ours: how many times as much of the CPU it may take with
// one connection, and with many.
type server struct {
	name   string // of the program
	what   string
	module string
	one    float64
	many   float64
	loops  int
}

var servers = []server{
	{"pyselect", "DefaultSelector of this library", "", 0, 0, 1},
	{"c-echo", "C, epoll", "", 1.25, 0, 1},
	{"echo.py", "CPython, selectors", "", 0, 0, 1},
	{"net", "net, a goroutine for each connection", "", 1.05, 1.03, 1},
	{"netpoll", "netpoll", "github.com/cloudwego/netpoll", 1.05, 1.03, 1},
	{"gnet", "gnet", "github.com/panjf2000/gnet/v2", 1.05, 1.03, 1},
	{"evio", "evio", "github.com/tidwall/evio", 1.05, 1.03, 1},
	{"nbio", "nbio", "github.com/lesismal/nbio", 1.05, 1.03, 1},
}

// tlsServers are the same over TLS, beside what the system calls alone cost.
var tlsServers = []server{
	{"tls-pyselect", "ssl and DefaultSelector of this library", "", 0, 0, 1},
	{"tls-net", "crypto/tls, a goroutine for each connection", "", 1.15, 1.15, 1},
	{"c-echo", "C, epoll, without TLS", "", 0, 0, 1},
	{"tls-echo.py", "CPython, ssl and selectors", "", 0.6, 0.6, 1},
}

// What is compared where there are two processors.
var pairs = []server{
	{"pyselect", "two DefaultSelectors of this library, which share the port by SO_REUSEPORT", "", 0, 0, 2},
	{"pyselect", "one DefaultSelector of this library", "", 0, 0, 1},
	{"gnet", "gnet, two event loops", "", 0, 0, 2},
	{"net", "net, a goroutine for each connection", "", 0, 0, 2},
}

// A load is what the clients do: on each of so many connections, they send a message of so many bytes, and then they read the
// answers.
type load struct{ conns, size int }

func (b *bench) measureServers(report *strings.Builder) error {
	loads, idle := []load{{1, 64}, {100, 64}, {1000, 64}}, load{5000, 64}
	if b.quick {
		loads, idle.conns = loads[:2], 200
	}
	if !b.starts("Echo servers") {
		return nil
	}
	t := table{
		intro: fmt.Sprintf(`## Echo servers

Microseconds of the server's CPU time for one message of 64 bytes, and how many times as much our server takes, with so many
connections, on each of which a client sends a message and then reads the answers. The event loops in Go run one loop. With
one connection a server is fast in some rounds and slow in others, so that the median of the ratios can be far from the ratio
of the medians. The last column is by how many KiB the server's resident memory grows for each of %s connections that have
sent one message and are idle then.`, count(idle.conns)),
	}
	return b.compareServers(report, &t, servers, loads, idle, func(l load) string { return count(l.conns) })
}

func (b *bench) measureTLS(report *strings.Builder) error {
	const small, record = 64, 16 << 10
	loads := []load{{1, small}, {100, small}, {1, record}, {100, record}}
	idle := load{5000, small}
	if b.quick {
		loads, idle.conns = loads[:3], 200
	}
	if !b.starts("Echo servers over TLS") {
		return nil
	}
	t := table{
		intro: fmt.Sprintf(`## Echo servers over TLS

The same over TLS 1.3, with the cipher suite TLS_AES_128_GCM_SHA256, and with messages of 64 bytes and of 16 KiB, which is one
record. Memory is that of %s connections with messages of 64 bytes, for which the goroutines have buffers of 512 bytes.`,
			count(idle.conns)),
	}
	return b.compareServers(report, &t, tlsServers, loads, idle, func(l load) string {
		return fmt.Sprintf("%s × %s B", count(l.conns), count(l.size))
	})
}

// compareServers measures what a message costs the servers under each of the loads, of which name is the title of a column, and
// the memory of connections that are idle.
func (b *bench) compareServers(
	report *strings.Builder, t *table, servers []server, loads []load, idle load, name func(load) string,
) error {
	t.head = []string{"server"}
	for _, l := range loads {
		t.head = append(t.head, name(l))
	}
	for _, l := range loads {
		t.head = append(t.head, "ours ÷ it, "+name(l))
	}
	t.head = append(t.head, "target", "", "KiB for each idle one")

	costs := make([][][]sample, len(loads)) // by the load, server and round
	memory := make([][]sample, len(servers))
	for i, l := range loads {
		costs[i] = make([][]sample, len(servers))
		if err := b.eachServer(servers, b.rounds, costs[i], func(s server) (float64, error) { return b.cpuPerEcho(s, l) }); err != nil {
			return err
		}
	}
	if err := b.eachServer(servers, min(b.rounds, 3), memory, func(s server) (float64, error) { return b.memoryPerConn(s, idle) }); err != nil {
		return err
	}
	for i, s := range servers {
		cells, ratios := []string{s.what}, []string(nil)
		var v verdict
		for j, l := range loads {
			cells = append(cells, number(median(costs[j][i], value)))
			if i == 0 {
				ratios = append(ratios, "")
				continue
			}
			r, most := ratio(costs[j][0], costs[j][i]), s.many
			if l.conns == 1 {
				most = s.one
			}
			ratios = append(ratios, fmt.Sprintf("%.2f", r))
			if most > 0 {
				v.add(fmt.Sprintf("≤ %.2f with %s", most, name(l)), r <= most, name(l))
			}
		}
		cells = slices.Concat(cells, ratios, v.cells())
		t.row(append(cells, number(median(memory[i], value)))...)
	}
	t.write(report)
	return nil
}

func (b *bench) measureLoops(report *strings.Builder) error {
	counts := []int{100, 1000}
	if b.quick {
		counts = counts[:1]
	}
	if !b.starts("Two loops") {
		return nil
	}
	t := table{
		intro: `## Two loops

The same with two loops and two processes with half of the clients each, which share two processors: microseconds of the
server's CPU time for one message, how many times as much our two loops take, and thousands of messages in a second.`,
		head: []string{"server"},
	}
	costs, speeds := make([][][]sample, len(counts)), make([][][]sample, len(counts))
	for i, n := range counts {
		t.head = append(t.head, count(n), "ours ÷ it, "+count(n), "thousands in a second, "+count(n))
		costs[i], speeds[i] = make([][]sample, len(pairs)), make([][]sample, len(pairs))
		half := load{n / 2, 64}
		if err := b.eachServer(pairs, b.rounds, costs[i], func(s server) (float64, error) {
			cost, speed, err := b.echoes(s, half, half)
			at := slices.Index(pairs, s)
			speeds[i][at] = append(speeds[i][at], sample{value: speed})
			return cost, err
		}); err != nil {
			return err
		}
	}
	for i, s := range pairs {
		cells := []string{s.what}
		for j := range counts {
			r := ""
			if i > 0 {
				r = fmt.Sprintf("%.2f", ratio(costs[j][0], costs[j][i]))
			}
			cells = append(cells, number(median(costs[j][i], value)), r, number(median(speeds[j][i], value)))
		}
		t.row(cells...)
	}
	t.write(report)
	return nil
}

// eachServer measures the servers in turn, round by round.
func (b *bench) eachServer(servers []server, rounds int, samples [][]sample, measure func(server) (float64, error)) error {
	for range rounds {
		for i, s := range servers {
			v, err := measure(s)
			if err != nil {
				return fmt.Errorf("echo server %s: %w", s.name, err)
			}
			samples[i] = append(samples[i], sample{value: v})
		}
	}
	return nil
}

func (b *bench) cpuPerEcho(s server, l load) (float64, error) {
	cost, _, err := b.echoes(s, l)
	return cost, err
}

// echoes returns how many microseconds of the CPU a message costs the server, and how many thousands there are in a second. Each of the
// loads is one process.
func (b *bench) echoes(s server, loads ...load) (cost, speed float64, err error) {
	pid, port, stop, err := b.start(s)
	if err != nil {
		return 0, 0, err
	}
	defer stop()
	var all []*clients
	for _, l := range loads {
		c, err := b.connect(s, port, l)
		if err != nil {
			return 0, 0, err
		}
		defer c.close()
		all = append(all, c)
	}
	if _, err := echoAll(all, b.sample/5); err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	before, err := process.CPUTime(pid)
	if err != nil {
		return 0, 0, err
	}
	messages, err := echoAll(all, b.sample)
	if err != nil {
		return 0, 0, err
	}
	after, err := process.CPUTime(pid)
	return float64(after-before) / float64(messages) / 1e3, float64(messages) / time.Since(begin).Seconds() / 1e3, err
}

func (b *bench) memoryPerConn(s server, l load) (float64, error) {
	pid, port, stop, err := b.start(s)
	if err != nil {
		return 0, err
	}
	defer stop()
	var resident [2]float64
	for i, n := range []int{1, l.conns} {
		c, err := b.connect(s, port, load{n, l.size})
		if err != nil {
			return 0, err
		}
		defer c.close()
		if _, err := echoAll([]*clients{c}, 0); err != nil {
			return 0, err
		}
		if resident[i], err = process.Resident(pid); err != nil {
			return 0, err
		}
	}
	return (resident[1] - resident[0]) / float64(l.conns), nil
}

// start starts a server and waits until it can be connected to.
func (b *bench) start(s server) (pid int, port string, stop func(), err error) {
	port, err = freePort()
	if err != nil {
		return 0, "", nil, err
	}
	cmd := exec.Command(filepath.Join(b.dir, s.name), port, strconv.Itoa(s.loops), b.certificate)
	if strings.HasSuffix(s.name, ".py") {
		cmd = exec.Command("python3", slices.Concat([]string{filepath.Join("python", s.name)}, cmd.Args[1:])...)
	}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return 0, "", nil, err
	}
	stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	for range 1000 {
		var conn net.Conn
		if conn, err = net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			conn.Close()
			return cmd.Process.Pid, port, stop, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	return 0, "", nil, fmt.Errorf("%w\n%s", err, output.String())
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// clients is a process with the clients of a server.
type clients struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (b *bench) connect(s server, port string, l load) (*clients, error) {
	program := "c-load"
	if strings.HasPrefix(s.name, "tls-") {
		program = "tls-load"
	}
	c := &clients{cmd: command(filepath.Join(b.dir, program), port, strconv.Itoa(l.conns), strconv.Itoa(l.size))}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	return c, c.cmd.Start()
}

func (c *clients) close() {
	c.in.Close()
	c.cmd.Wait()
}

// echoAll has messages of all clients echoed for so long, and returns their number.
func echoAll(all []*clients, d time.Duration) (messages int, err error) {
	for _, c := range all {
		fmt.Fprintln(c.in, d.Seconds()*1e3)
	}
	for _, c := range all {
		var n int
		if _, err := fmt.Fscanln(c.out, &n); err != nil {
			return 0, err
		}
		messages += n
	}
	return messages, nil
}

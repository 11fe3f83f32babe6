//go:build unix || windows

package selectors_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/selectors"
)

// The steps of a program for selectors, behind those of a testkit.World.
const (
	stepRegister       = testkit.Steps + iota // slot, by, events
	stepModify                                // slot, by, events
	stepUnregister                            // slot, by
	stepKey                                   // slot, by
	stepCloseObject                           // slot: the object of the slot forgets its descriptor; the next time, it is a new one
	stepSelectInto                            // size of the buffer - 1
	stepWait                                  //
	stepWakeup                                //
	stepCloseSelectors                        //
	stepUnseen                                // a step of the World: nothing looks what is ready before the next step
	steps
)

// How a program names what is in a slot.
const (
	byNumber byte = iota
	byObject
	byOther // by another object with the same descriptor
	ways
)

// Names for the readable programs.
const (
	sockets = testkit.StepSockets
	pipe    = testkit.StepPipe
	dupTo   = testkit.StepDup
	closeFd = testkit.StepClose
	writeTo = testkit.StepWrite
	drain   = testkit.StepDrain
	fill    = testkit.StepFill

	none, r, w, rw, bad byte = 0, 1, 2, 3, 4 // events
)

// A model says what a selector does.
type model struct {
	kind
	t       *testing.T
	world   *testkit.World
	sel     selectors.BaseSelector
	entries []*entry // in the order of registration
	closed  bool
	waits   testkit.Waits
}

type entry struct {
	key        *selectors.SelectorKey
	slot       int
	file       *testkit.OpenFile // what a kernel that keeps the set itself watches
	generation int
}

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf(m.name+": "+format, args...)
}

func (m *model) want(op string, err, want error) {
	if !errors.Is(err, want) {
		m.fatalf("error of %s is %v, want %v", op, err, want)
	}
}

// find returns the entry of an object or a number, or nil.
func (m *model) find(obj any) *entry {
	fd, _ := obj.(int)
	if o, ok := obj.(*fileobj); ok {
		fd = o.fd
		if o.closed {
			fd = -1
		}
	}
	for _, e := range m.entries {
		if e.key.Fd == fd || fd < 0 && e.key.Fileobj == obj {
			return e
		}
	}
	return nil
}

func (m *model) remove(gone *entry) {
	m.entries = slices.DeleteFunc(m.entries, func(e *entry) bool { return e == gone })
}

// isDetached reports whether the descriptor has been closed since the kernel took it into its set. The file stays there as long as
// a duplicate is open, but need not. A kernel that does not forget what is closed may look at the number instead, or not.
func (m *model) isDetached(e *entry) bool {
	return m.kernel && e.generation != m.world.Generation(e.slot)
}

func (m *model) wantKey(key *selectors.SelectorKey, want selectors.SelectorKey) {
	if *key != want {
		m.fatalf("the key is %v, want %v", *key, want)
	}
}

func (m *model) register(slot int, obj any, events selectors.Event, data int) {
	var want error
	o, _ := obj.(*fileobj)
	switch {
	case m.closed:
		want = os.ErrClosed
	case events == 0 || events > read|write:
		want = os.ErrInvalid
	case m.find(obj) != nil:
		want = selectors.ErrRegistered
	case o != nil && o.closed:
		want = errGone
	case m.kernel && m.world.File(slot) == nil:
		want = errBadFd
	}
	key, err := m.sel.Register(obj, events, data)
	m.want("Register", err, want)
	if err == nil {
		m.wantKey(key, selectors.SelectorKey{Fileobj: obj, Fd: m.world.Fd(slot), Events: events, Data: data})
		m.entries = append(m.entries, &entry{key, slot, m.world.File(slot), m.world.Generation(slot)})
	}
}

func (m *model) modify(obj any, events selectors.Event, data int) {
	e := m.find(obj)
	key, err := m.sel.Modify(obj, events, data)
	switch {
	case m.closed:
		m.want("Modify", err, os.ErrClosed)
		return
	case events == 0 || events > read|write:
		m.want("Modify", err, os.ErrInvalid)
		return
	case e == nil:
		m.want("Modify", err, selectors.ErrNotRegistered)
		return
	}
	old, changes := e.key, events != e.key.Events
	switch {
	case m.kernel && changes && m.world.File(e.slot) == nil:
		m.want("Modify", err, errBadFd)
	case m.forgets && m.isDetached(e) && changes:
		// The kernel may have it or not.
	default:
		m.want("Modify", err, nil)
	}
	if err != nil {
		m.remove(e)
		return
	}
	m.wantKey(key, selectors.SelectorKey{Fileobj: old.Fileobj, Fd: old.Fd, Events: events, Data: data})
	if key == old {
		m.fatalf("Modify has changed a key")
	}
	e.key = key
	if changes {
		e.file, e.generation = m.world.File(e.slot), m.world.Generation(e.slot)
	}
}

// lookup checks Key or Unregister, and returns the entry.
func (m *model) lookup(op string, call func(any) (*selectors.SelectorKey, error), obj any) *entry {
	e := m.find(obj)
	key, err := call(obj)
	switch {
	case m.closed:
		m.want(op, err, os.ErrClosed)
	case e == nil:
		m.want(op, err, selectors.ErrNotRegistered)
	default:
		m.want(op, err, nil)
		if key != e.key {
			m.fatalf("%s returned %v, want %v", op, key, e.key)
		}
	}
	return e
}

// readiness returns what a selector must report, what it may report too, what only one that lags may report for a moment, and the
// descriptor at which it fails, or -1.
func (m *model) readiness() (must, may, late []selectors.Ready, bad int) {
	for _, e := range m.entries {
		files, to := []*testkit.OpenFile{m.world.File(e.slot)}, &must
		if m.isDetached(e) {
			switch to = &may; {
			case m.strays && !e.file.IsOpen():
				to = &late
			case m.strays:
				files = append(files, e.file)
			case m.forgets:
				files[0] = e.file
			}
		}
		for _, file := range files {
			var ready selectors.Event
			switch {
			case file.IsOpen():
				ready = m.events(file.State())
			case m.strict:
				return nil, nil, nil, e.key.Fd
			case !m.forgets:
				ready = read | write
			}
			if ready &= e.key.Events; ready != 0 {
				*to = append(*to, selectors.Ready{Key: e.key, Events: ready})
			}
		}
	}
	return must, may, late, -1
}

func (m *model) events(s testkit.State) (ready selectors.Event) {
	if s.In || s.Hup || s.Err {
		ready |= read
	}
	if s.Out || s.Err || s.Hup && !m.strict {
		ready |= write
	}
	return ready
}

// checkReady checks the result of a Select that has looked.
func (m *model) checkReady(got []selectors.Ready, err error) {
	must, may, late, bad := m.readiness()
	switch {
	case m.closed:
		m.want("Select", err, os.ErrClosed)
		return
	case bad >= 0:
		m.want("Select", err, errBadFd)
		if text := fmt.Sprint("fd ", bad, ":"); !strings.Contains(err.Error(), text) {
			m.fatalf("error %q does not say %q", err, text)
		}
		return
	}
	m.want("Select", err, nil)
	if m.ordered && !slices.Equal(got, must) {
		m.fatalf("Select returned %v, want %v", pairs(got), pairs(must))
	}
	lacks := func(list, some []selectors.Ready) bool {
		return slices.ContainsFunc(some, func(ready selectors.Ready) bool { return !slices.Contains(list, ready) })
	}
	differs := func() bool { return lacks(got, must) || lacks(slices.Concat(must, may), got) }
	for end := time.Now().Add(testkit.Patience); lags(m.sel) && differs() && time.Now().Before(end); {
		m.checkSubset(got, must, slices.Concat(may, late))
		got, err = m.sel.Select(0)
		m.want("Select", err, nil)
	}
	m.checkSubset(got, must, may)
	if lacks(got, must) {
		m.fatalf("Select returned %v, want %v", pairs(got), pairs(must))
	}
}

// checkSubset checks that nothing is reported that is not ready, or twice.
func (m *model) checkSubset(got, must, may []selectors.Ready) {
	for i, ready := range got {
		if !slices.Contains(must, ready) && !slices.Contains(may, ready) || slices.Contains(got[:i], ready) {
			m.fatalf("Select returned %v, want %v and perhaps %v", pairs(got), pairs(must), pairs(may))
		}
	}
}

// check compares a selector with its model.
func (m *model) check() {
	var want []*selectors.SelectorKey
	for _, e := range m.entries {
		want = append(want, e.key)
	}
	if got := slices.Collect(m.sel.Keys()); !slices.Equal(got, want) || m.sel.Len() != len(want) {
		m.fatalf("%d keys: %v, want %v", m.sel.Len(), got, want)
	}
	m.checkReady(m.sel.Select(0))
}

// selectInto checks that a small buffer loses nothing.
func (m *model) selectInto(size int) {
	buf := make([]selectors.Ready, size)
	must, may, _, bad := m.readiness()
	if m.closed || bad >= 0 || size == 0 {
		_, err := m.sel.SelectInto(buf, 0)
		switch {
		case m.closed:
			m.want("SelectInto", err, os.ErrClosed)
		case size == 0:
			m.want("SelectInto", err, os.ErrInvalid)
		default:
			m.want("SelectInto", err, errBadFd)
		}
		return
	}
	calls := (len(must) + size - 1) / size
	if !m.ordered {
		calls = 2 * len(m.entries) // what may be reported takes turns with the rest, and a new kernel set begins anew
	}
	var all []selectors.Ready
	for range calls {
		n, err := m.sel.SelectInto(buf, 0)
		m.want("SelectInto", err, nil)
		if n == 0 && len(must) > 0 {
			m.fatalf("SelectInto returned nothing, want some of %v", pairs(must))
		}
		m.checkSubset(buf[:n], must, may)
		all = append(all, buf[:n]...)
	}
	for _, ready := range must {
		if !slices.Contains(all, ready) {
			m.fatalf("SelectInto with room for %d returned %v, want all of %v", size, pairs(all), pairs(must))
		}
	}
}

// wait checks a Select that may block.
func (m *model) wait() {
	must, may, _, bad := m.readiness()
	timeout, least := testkit.Patience, time.Duration(0)
	if !m.closed && bad < 0 && len(must) == 0 {
		timeout = m.waits.Timeout()
		least = timeout
	}
	begin := time.Now()
	m.checkReady(m.sel.Select(timeout))
	if d := time.Since(begin); len(may) == 0 && d < least || d >= testkit.Patience {
		m.fatalf("Select returned after %v", d)
	}
}

func (m *model) wakeup() {
	err := m.sel.Wakeup()
	if m.closed {
		m.want("Wakeup", err, os.ErrClosed)
		return
	}
	m.want("Wakeup", err, nil)
	begin := time.Now()
	m.checkReady(m.sel.Select(testkit.Patience))
	if d := time.Since(begin); d >= testkit.Patience {
		m.fatalf("Select was not woken")
	}
}

func (m *model) close() {
	m.want("Close", m.sel.Close(), nil)
	m.closed, m.entries = true, nil
}

// lowest is the number of slot 0.
const lowest = 200

// Every selector does what the model says, whatever happens to its descriptors.
func FuzzSelectors(f *testing.F) {
	for _, program := range [][]byte{
		// Register, modify and unregister, by whatever names it, twice, and with bad events.
		{sockets, 0, 1, stepRegister, 0, byNumber, r, stepRegister, 0, byObject, r, stepKey, 0, byOther, stepModify, 0, byObject, rw,
			stepModify, 0, byNumber, none, stepModify, 0, byNumber, bad, stepRegister, 1, byNumber, bad, stepUnregister, 0, byOther,
			stepUnregister, 0, byNumber, stepModify, 0, byNumber, r, stepKey, 0, byNumber},
		// An object that is closed is found, by itself and by its number.
		{sockets, 0, 1, stepRegister, 0, byObject, w, stepCloseObject, 0, stepKey, 0, byObject, stepModify, 0, byObject, r,
			stepKey, 0, byNumber, stepRegister, 0, byObject, r, stepUnregister, 0, byObject, stepRegister, 0, byObject, r,
			stepKey, 0, byObject, stepModify, 0, byObject, r, stepCloseObject, 0, stepRegister, 0, byObject, rw},
		// All that a socket can be ready for.
		{sockets, 0, 1, stepRegister, 0, byNumber, rw, stepRegister, 1, byNumber, r, writeTo, 1, writeTo, 0, drain, 0, fill, 0, drain, 1,
			fill, 1, closeFd, 1, stepWait, drain, 0, stepModify, 0, byNumber, r, stepModify, 0, byNumber, w, stepWait},
		// All that the ends of a pipe can be ready for.
		{pipe, 0, 1, stepRegister, 0, byNumber, rw, stepRegister, 1, byNumber, rw, writeTo, 1, fill, 1, drain, 0, stepWait, closeFd, 1,
			stepModify, 0, byNumber, w, stepWait, pipe, 2, 3, stepRegister, 3, byNumber, r, closeFd, 2, stepWait},
		// A small buffer loses nothing, whatever changes between the calls.
		{sockets, 0, 1, sockets, 2, 3, sockets, 4, 5, stepRegister, 0, byNumber, w, stepRegister, 2, byNumber, w, stepRegister, 4, byNumber, w,
			stepRegister, 3, byNumber, rw, stepRegister, 1, byNumber, w, stepSelectInto, 1, stepSelectInto, 2, stepUnregister, 2, byNumber,
			stepSelectInto, 2, closeFd, 0, stepSelectInto, 1, stepRegister, 2, byNumber, w, stepSelectInto, 3, stepSelectInto, 0},
		// Nothing is ready: waits last, unless they are woken.
		{stepWait, stepWakeup, sockets, 0, 1, stepRegister, 0, byNumber, r, stepWait, stepWakeup, stepWait, writeTo, 1, stepWakeup, stepWait},
		// A descriptor that is closed while registered, and its number used again.
		{sockets, 0, 1, stepRegister, 0, byNumber, w, closeFd, 0, stepWait, stepSelectInto, 1, stepModify, 0, byNumber, w,
			stepRegister, 0, byNumber, w, sockets, 0, 2, stepWait, stepModify, 0, byNumber, rw, writeTo, 2, stepUnregister, 0, byNumber,
			stepRegister, 0, byNumber, r, closeFd, 0, stepModify, 0, byNumber, w, stepRegister, 0, byNumber, w},
		// The same with a duplicate that lives on: while registered, unregistered, and as the same file again.
		{sockets, 0, 1, stepRegister, 0, byNumber, rw, dupTo, 0, 2, closeFd, 0, writeTo, 1, stepWait, dupTo, 2, 0, stepModify, 0, byNumber, w,
			closeFd, 0, stepUnregister, 0, byNumber, stepWait, stepRegister, 2, byNumber, r, stepSelectInto, 1,
			dupTo, 2, 0, stepRegister, 0, byNumber, r, stepWait, sockets, 0, 3, stepUnregister, 0, byNumber, stepRegister, 0, byNumber, rw, stepWait},
		// What is over when the selectors look.
		{sockets, 0, 1, stepRegister, 0, byNumber, r, stepRegister, 1, byNumber, rw, stepUnseen, writeTo, 1, drain, 0, stepUnseen, writeTo, 1,
			stepUnseen, writeTo, 0, stepUnseen, drain, 1, stepWait, stepUnseen, drain, 0, stepWait},
		// A number whose next owner is ready: of a socket that is gone, and of one with a duplicate.
		{sockets, 0, 1, stepRegister, 0, byNumber, rw, stepRegister, 1, byNumber, rw, stepSelectInto, 1, sockets, 1, 0, stepWait,
			stepUnregister, 1, byNumber, stepRegister, 1, byNumber, rw, dupTo, 1, 2, sockets, 3, 1, stepWait, closeFd, 2, stepWait},
		// Modify is for the next owner, also when the former one was registered for more or is closed later.
		{sockets, 0, 1, fill, 0, stepRegister, 0, byNumber, rw, dupTo, 0, 2, sockets, 0, 3, stepModify, 0, byNumber, r, writeTo, 3, stepWait},
		{sockets, 0, 1, stepRegister, 0, byNumber, w, dupTo, 0, 2, sockets, 0, 3, stepModify, 0, byNumber, rw, closeFd, 2, writeTo, 3, stepWait},
		// What the selectors keep when the kernel's set is rebuilt.
		{sockets, 0, 1, sockets, 2, 3, stepRegister, 0, byNumber, w, stepRegister, 2, byNumber, rw, stepRegister, 3, byNumber, rw, dupTo, 2, 4,
			closeFd, 2, stepUnregister, 2, byNumber, stepWait, stepSelectInto, 1, dupTo, 4, 2, stepRegister, 2, byNumber, rw, writeTo, 3, stepWait},
		// After Close.
		{sockets, 0, 1, stepRegister, 0, byNumber, w, stepCloseSelectors, stepRegister, 1, byNumber, w, stepModify, 0, byNumber, r,
			stepUnregister, 0, byNumber, stepKey, 0, byNumber, stepSelectInto, 1, stepSelectInto, 0, stepWait, stepWakeup, stepCloseSelectors},
	} {
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		testkit.NoLeaks(t)
		trace := testkit.Trace(t)
		world := testkit.NewWorld(t, lowest)
		var objects [testkit.Slots]*fileobj
		for slot := range objects {
			objects[slot] = &fileobj{fd: world.Fd(slot)}
		}
		var models []*model
		for _, k := range kinds {
			sel, err := k.create(t)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { sel.Close() })
			m := &model{kind: k, t: t, world: world, sel: sel}
			models = append(models, m)
		}

		p := testkit.Program(program[:min(len(program), 500)])
		name := func() (slot int, obj any) {
			slot = p.Next(testkit.Slots)
			switch byte(p.Next(int(ways))) {
			case byObject:
				return slot, objects[slot]
			case byOther:
				return slot, &fileobj{fd: world.Fd(slot)}
			}
			return slot, world.Fd(slot)
		}
		for data := 0; len(p) > 0; data++ {
			var do func(m *model)
			switch step := byte(p.Next(int(steps))); step {
			case stepRegister:
				slot, obj := name()
				events := selectors.Event(p.Next(5))
				trace("register %d %T %v", slot, obj, events)
				do = func(m *model) { m.register(slot, obj, events, data) }
			case stepModify:
				slot, obj := name()
				events := selectors.Event(p.Next(5))
				trace("modify %d %T %v", slot, obj, events)
				do = func(m *model) { m.modify(obj, events, data) }
			case stepUnregister:
				slot, obj := name()
				trace("unregister %d %T", slot, obj)
				do = func(m *model) { m.remove(m.lookup("Unregister", m.sel.Unregister, obj)) }
			case stepKey:
				slot, obj := name()
				trace("key %d %T", slot, obj)
				do = func(m *model) { m.lookup("Key", m.sel.Key, obj) }
			case stepCloseObject:
				slot := p.Next(testkit.Slots)
				trace("close object %d", slot)
				if objects[slot].closed {
					objects[slot] = &fileobj{fd: world.Fd(slot)}
				} else {
					objects[slot].closed = true
				}
				do = func(*model) {}
			case stepSelectInto:
				size := p.Next(4)
				trace("select into %d", size)
				do = func(m *model) { m.selectInto(size) }
			case stepWait:
				trace("wait")
				do = (*model).wait
			case stepWakeup:
				trace("wakeup")
				do = (*model).wakeup
			case stepCloseSelectors:
				trace("close selectors")
				do = (*model).close
			case stepUnseen:
				trace("%s, unseen", world.Step(byte(p.Next(int(testkit.Steps))), &p))
				continue
			default:
				trace("%s", world.Step(step, &p))
				do = func(*model) {}
			}
			for _, m := range models {
				if m.force != nil {
					m.force(t)
				}
				do(m)
				m.check()
			}
		}
	})
}

func FuzzEvent(f *testing.F) {
	for _, event := range []selectors.Event{0, read, write, read | write, 4, read | 8, 255} {
		f.Add(uint8(event))
	}
	f.Fuzz(func(t *testing.T, event uint8) {
		text := selectors.Event(event).String()
		var parsed uint64
		if number, ok := strings.CutPrefix(text, "Event("); ok && strings.HasSuffix(number, ")") {
			var err error
			if parsed, err = strconv.ParseUint(strings.TrimSuffix(number, ")"), 0, 8); err != nil {
				t.Fatal(err)
			}
		} else {
			for name := range strings.SplitSeq(text, "|") {
				bit := map[string]uint64{"EventRead": 1, "EventWrite": 2}[name]
				if bit == 0 || parsed&bit != 0 {
					t.Fatalf("String of %#x is %q", event, text)
				}
				parsed |= bit
			}
		}
		if parsed != uint64(event) {
			t.Fatalf("String of %#x is %q", event, text)
		}
	})
}

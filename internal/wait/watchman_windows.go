package wait

import (
	"slices"
	"sync"

	"github.com/pyselect/pyselect/internal/sys"
)

// theWatchmen wait for the sets of sockets whose waits share, each for as many as the system lets one thread wait for.
var theWatchmen watchmen

type watchmen struct {
	mu  sync.Mutex
	all []*watchman
}

// A watchman calls tickets when events are set, as long as it has posts. Its first event is the bell, which lets it look at the posts anew.
type watchman struct {
	bell    sys.Event
	posts   []*post
	running bool
	start   func() // run: a value, so that to start a goroutine allocates nothing
}

// A post lets a watchman call a ticket, once, when an event is set.
type post struct {
	event   sys.Event
	ticket  *ticket
	manned  *watchman // nil when the post is over
	leaving bool
}

// take takes a post. It fails if there is no room, and no other watchman to be had.
func (p *post) take(t *ticket) error {
	all := &theWatchmen
	all.mu.Lock()
	defer all.mu.Unlock()
	i := slices.IndexFunc(all.all, func(m *watchman) bool { return len(m.posts) < sys.MaxEvents-1 })
	if i < 0 {
		bell, err := sys.NewEvent()
		if err != nil {
			return err
		}
		i = len(all.all)
		m := &watchman{bell: bell}
		m.start = m.run
		all.all = append(all.all, m)
	}
	m := all.all[i]
	p.ticket, p.manned, p.leaving = t, m, false
	m.posts = append(m.posts, p)
	if m.running {
		m.bell.Set()
	} else {
		m.running = true
		go m.start()
	}
	return nil
}

// leave leaves a post. When it returns, the event may be closed.
func (p *post) leave() {
	all := &theWatchmen
	all.mu.Lock()
	defer all.mu.Unlock()
	if p.manned != nil {
		p.leaving = true
		p.manned.bell.Set()
	}
	for p.manned != nil {
		all.mu.Unlock()
		<-p.ticket.called
		all.mu.Lock()
	}
}

func (m *watchman) run() {
	all := &theWatchmen
	all.mu.Lock()
	defer all.mu.Unlock()
	var events [sys.MaxEvents]sys.Event
	for {
		m.posts = slices.DeleteFunc(m.posts, func(p *post) bool {
			if p.leaving {
				p.manned = nil
				p.ticket.call()
			}
			return p.leaving
		})
		if len(m.posts) == 0 {
			m.running = false
			return
		}
		events[0] = m.bell
		for i, p := range m.posts {
			events[1+i] = p.event
		}
		n := 1 + len(m.posts)
		all.mu.Unlock()
		i, err := sys.WaitEvents(events[:n])
		all.mu.Lock()
		if err == nil && i > 0 {
			m.posts[i-1].leaving = true
		}
	}
}

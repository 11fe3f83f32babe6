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

// A watchman calls tickets when events are set, as long as it has posts. The bell lets it look at the posts anew.
type watchman struct {
	bell    sys.Event
	posts   []*post
	running bool
	start   func() // run: a value, so that to start a goroutine allocates nothing
}

// A post lets a watchman call a ticket, once, when an event is set.
type post struct {
	event  sys.Event
	ticket *ticket
	manned *watchman // nil when the post has been left
	over   bool
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
	p.ticket, p.manned, p.over = t, m, false
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
		p.over = true
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
			if p.over {
				p.manned = nil
				p.ticket.call()
			}
			return p.over
		})
		if len(m.posts) == 0 {
			m.running = false
			return
		}
		n := len(m.posts)
		for i, p := range m.posts {
			events[i] = p.event
		}
		events[n] = m.bell // last: of several that are set, the first counts
		all.mu.Unlock()
		i, err := sys.WaitEvents(events[:n+1])
		all.mu.Lock()
		if err == nil && i < n {
			m.posts[i].over = true
		}
	}
}

//go:build linux

package differential

import (
	"slices"

	"github.com/pyselect/pyselect/selectors"
)

// A kernelSet is what the kernel should have in the set of the EpollSelector. Its elements are pairs of a number and an
// open file: one that is closed stays there while it has a duplicate, even when its number stands for something else.
type kernelSet struct {
	watched map[int]int // the file that is watched under a number that is registered; 0 if it was lost in a rebuild
	ghosts  []ghost     // unregistered, but not removed from the set of this module's EpollSelector
	fd      int         // of the epoll

	// What the last step has done.
	left     *ghost // it has left this ghost behind
	rebuilt  bool   // the set was rebuilt
	returned bool   // before it, a ghost had its number back, which is registered as another file
}

type ghost struct{ fd, file int }

// follow brings the set up to date after a step of the EpollSelector.
func (m *machine) follow(s step, err error) {
	m.returned = slices.ContainsFunc(m.ghosts, func(g ghost) bool {
		file, registered := m.watched[g.fd]
		return registered && file != g.file && m.files[g.fd] == g.file
	})
	sel := m.selectors["EpollSelector"].(*selectors.EpollSelector)
	fd, closed := sel.Fileno()
	if closed != nil {
		m.watched, m.ghosts = map[int]int{}, nil
		return
	}
	m.rebuilt = m.fd != 0 && fd != m.fd
	m.fd = fd

	switch method := s.method(); {
	case method == "register" && err == nil:
		key, _ := sel.Key(m.operand(s.args[0], sel))
		m.watched[key.Fd] = m.files[key.Fd]
		m.drop(key.Fd)
	case method == "unregister" || method == "modify":
		if m.old == nil {
			return
		}
		fd := m.old.Fd
		if _, err := sel.Key(fd); err == nil {
			return
		}
		m.drop(fd)
		g := ghost{fd, m.watched[fd]}
		delete(m.watched, fd)
		if g.file != 0 && g.file != m.files[fd] && m.duplicate(g.file) != 0 {
			m.ghosts = append(m.ghosts, g)
			m.left = &g
		}
	}
}

// drop removes the ghost of what a number stands for now: it is gone, or what is registered.
func (m *machine) drop(fd int) {
	m.ghosts = slices.DeleteFunc(m.ghosts, func(g ghost) bool { return g == ghost{fd, m.files[fd]} })
}

// haunted reports whether there are ghosts that the kernel can report.
func (m *machine) haunted() bool {
	return slices.ContainsFunc(m.ghosts, func(g ghost) bool { return m.duplicate(g.file) != 0 })
}

// astray returns the numbers that are registered, but stand for something else than what is watched, or for nothing.
func (m *machine) astray() (list []int) {
	for n := firstNumber; n < firstNumber+numbers; n++ {
		if file := m.watched[n]; file != 0 && file != m.files[n] {
			list = append(list, n)
		}
	}
	return list
}

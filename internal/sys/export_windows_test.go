package sys

// ToAsk returns how many polls the next Look starts again.
func (s *AfdSet) ToAsk() int { return len(s.again) }

// Slots returns for how many sockets the set has room, and how many of them the kernel may write to.
func (s *AfdSet) Slots() (all, used int) { return len(s.slots), len(s.slots) - len(s.unused) }

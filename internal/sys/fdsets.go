package sys

// The sets of an FdSets.
const (
	Readable = iota
	Writable
	Exceptional
)

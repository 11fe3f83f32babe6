package pyselect

// Events of a Poll that Linux has.
const (
	POLLMSG   PollMask = 0x400  // never reported
	POLLRDHUP PollMask = 0x2000 // the peer has closed its sending side
)

func init() {
	pollNames = append(pollNames, bitName[PollMask]{POLLMSG, "POLLMSG"}, bitName[PollMask]{POLLRDHUP, "POLLRDHUP"})
}

//go:build linux && (mips || mipsle || mips64 || mips64le)

package pyselect

const (
	pollWRNORM = POLLOUT
	pollWRBAND = 0x100
)

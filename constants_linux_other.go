//go:build linux && !(mips || mipsle || mips64 || mips64le)

package pyselect

const (
	pollWRNORM = 0x100
	pollWRBAND = 0x200
)

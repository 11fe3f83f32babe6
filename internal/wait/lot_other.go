//go:build !linux

package wait

// There is no parking lot here.
type places struct{}

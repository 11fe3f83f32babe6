//go:build !linux

package main

import "log"

func main() { log.Fatal("this looks at servers by /proc and runs on Linux only") }

//go:build !linux

package main

import "log"

func main() { log.Fatal("this compares with epoll and runs on Linux only") }

//go:build linux

// The clients of the echo servers over TLS, which do what c/load.c does. Usage: tls-load PORT CONNECTIONS BYTES.
package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"time"
)

func main() {
	count, err := strconv.Atoi(os.Args[2])
	check(err)
	size, err := strconv.Atoi(os.Args[3])
	check(err)
	config := &tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true}
	conns := make([]*tls.Conn, count)
	for i := range conns {
		conn, err := net.Dial("tcp", "127.0.0.1:"+os.Args[1])
		check(err)
		check(conn.(*net.TCPConn).SetLinger(0))
		conns[i] = tls.Client(conn, config)
		check(conns[i].Handshake())
		if suite := conns[i].ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
			log.Fatalf("cipher suite is %s", tls.CipherSuiteName(suite))
		}
	}

	message, answer := make([]byte, size), make([]byte, size)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		msec, err := strconv.ParseFloat(in.Text(), 64)
		check(err)
		messages := 0
		for end := time.Now().Add(time.Duration(msec * 1e6)); messages == 0 || time.Now().Before(end); messages += count {
			for _, conn := range conns {
				_, err := conn.Write(message)
				check(err)
			}
			for _, conn := range conns {
				_, err := io.ReadFull(conn, answer)
				check(err)
			}
		}
		fmt.Println(messages)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

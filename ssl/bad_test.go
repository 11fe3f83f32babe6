//go:build unix || windows

package ssl_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pyselect/pyselect/internal/testkit"
	"github.com/pyselect/pyselect/socket"
	"github.com/pyselect/pyselect/ssl"
)

// wantBad checks that an operation says that the peer does not keep to the protocol, also when it is called again.
func wantBad(t testing.TB, f func() error, words ...string) {
	t.Helper()
	for range 2 {
		err := f()
		if _, ok := errors.AsType[*ssl.Error](err); !ok {
			t.Errorf("error is %v", err)
			return
		}
		wantError(t, err, err, words...)
	}
}

// What is no hello is an error, and the peer is told by an alert, if it seems to know what that is.
func TestNoHello(t *testing.T) {
	testkit.NoLeaks(t)
	clientConfig, serverConfig := configs(0)
	for name, test := range map[string]struct {
		data  []byte
		want  string // in the text of the error
		alert byte   // or 0
	}{
		"garbage":             {[]byte("\x00\x01\x02\x03\x04\x05"), "does not look like a TLS handshake", 0},
		"HTTP":                {[]byte("GET / HTTP/1.1\r\n\r\n"), "does not look like a TLS handshake", 0},
		"SSLv2":               {[]byte("\x80\x2e\x01\x00\x02"), "SSLv2", 70},
		"an empty record":     {record(handshake), "unexpected message", 10},
		"data":                {record(applicationData, 1, 2, 3), "does not look like a TLS handshake", 0},
		"a long record":       {[]byte{handshake, 3, 3, 0xff, 0xff}, "oversized record", 22},
		"a long message":      {record(handshake, 1, 0xff, 0xff, 0xff), "exceeds maximum", 80},
		"an empty message":    {record(handshake, 1, 0, 0, 0), "error decoding message", 50},
		"an unknown message":  {record(handshake, 99, 0, 0, 0), "unexpected message", 10},
		"another message":     {record(handshake, 20, 0, 0, 0), "unexpected", 10},
		"an alert":            {record(alert, 2, 40), "remote error: tls: handshake failure", 0},
		"half an alert":       {record(alert, 2), "unexpected message", 10},
		"a strange alert":     {record(alert, 7, 40), "unexpected message", 10},
		"warnings":            {bytes.Repeat(record(alert, 1, 90), 20), "too many ignored records", 10},
		"an early Finished":   {record(changeCipherSpec, 1), "does not look like a TLS handshake", 0},
		"a strange handshake": {record(handshake, []byte("\x01\x00\x00\x26\x03\x03"+strings.Repeat("x", 36))...), "error decoding message", 50},
	} {
		for _, side := range []string{"client", "server"} {
			t.Run(name+" to a "+side, func(t *testing.T) {
				a, peer := sockets(t)
				s := own(t, ssl.Server(a, serverConfig))
				if side == "client" {
					s = own(t, ssl.Client(a, clientConfig, hostname))
					wantError(t, s.DoHandshake(), ssl.ErrWantRead)
					take(t, peer)
				}
				must[int](t)(peer.Send(test.data))
				readable(t, s, testkit.Patience)
				wantBad(t, s.DoHandshake, "ssl.do_handshake", test.want)
				_, err := s.Send([]byte("spam"))
				wantError(t, err, err, "ssl.send", test.want)
				if e, ok := errors.AsType[tls.RecordHeaderError](err); ok && e.Conn != nil {
					t.Error("the error has a connection, which is none")
				}
				var told []byte
				if test.alert != 0 {
					told = record(alert, 2, test.alert)
				}
				if got := take(t, peer); len(got) != len(told) || len(got) > 0 && !slices.Equal(got[3:], told[3:]) {
					t.Errorf("the peer was told %x, want %x", got, told)
				}
			})
		}
	}
}

// No more is taken than what shows that it is wrong.
func TestBadRecordIsNotTaken(t *testing.T) {
	testkit.NoLeaks(t)
	_, serverConfig := configs(0)
	a, peer := sockets(t)
	s := own(t, ssl.Server(a, serverConfig))
	must[int](t)(peer.Send([]byte("GET / HTTP/1.1\r\n\r\n")))
	readable(t, s, testkit.Patience)
	wantBad(t, s.DoHandshake)
	if left := string(unread(t, a)); left != " HTTP/1.1\r\n\r\n" && left != "/ HTTP/1.1\r\n\r\n"[1:] {
		t.Errorf("left is %q", left)
	}
	must[int](t)(s.Socket.Send([]byte("HTTP/1.0 400 Bad Request\r\n\r\n"))) // as programs do
	wantPlain(t, peer, "HTTP/1.0 400 Bad Request\r\n\r\n")
}

// The peer goes away, after each byte of what it has to say.
func TestPeerGoesAway(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		clientConfig.CurvePreferences = []tls.CurveID{tls.X25519}
		full := newRelay(t, clientConfig, serverConfig)
		full.client.DoHandshake()
		hello := full.fromClient(t)
		full.toServer(t, hello)
		full.server.DoHandshake()
		flight := full.fromServer(t)
		for cut := 0; cut < len(hello); cut += 1 + cut/20 {
			a, peer := sockets(t)
			s := own(t, ssl.Server(a, serverConfig))
			must[int](t)(peer.Send(hello[:cut]))
			wantError(t, s.DoHandshake(), ssl.ErrWantRead)
			check(t, peer.Close())
			for range 2 {
				err := alternate(t, task{s, s.DoHandshake})[0]
				wantError(t, err, ssl.ErrEOF, "ssl.do_handshake", "close_notify")
			}
			s.SuppressRaggedEOFs = true
			if n, err := s.Recv(make([]byte, 1)); n != 0 || err != nil {
				t.Errorf("received %d bytes, %v", n, err)
			}
		}
		for cut := 0; cut < len(flight); cut += 1 + cut/20 {
			r := newRelay(t, clientConfig, serverConfig)
			wantError(t, r.client.DoHandshake(), ssl.ErrWantRead)
			r.toServer(t, r.fromClient(t))
			wantError(t, r.server.DoHandshake(), ssl.ErrWantRead)
			part := r.fromServer(t)
			r.toClient(t, part[:min(cut, len(part)-1)]) // signatures have not all the same length
			wantError(t, r.client.DoHandshake(), ssl.ErrWantRead)
			check(t, r.near.Shutdown(socket.SHUT_WR))
			err := alternate(t, task{r.client, r.client.DoHandshake})[0]
			wantError(t, err, ssl.ErrEOF, "ssl.do_handshake")
		}
	})
}

// The peer says close_notify in the middle of the handshake.
func TestCloseNotifyInHandshake(t *testing.T) {
	testkit.NoLeaks(t)
	_, serverConfig := configs(0)
	a, peer := sockets(t)
	s := own(t, ssl.Server(a, serverConfig))
	must[int](t)(peer.Send(record(alert, 1, 0)))
	readable(t, s, testkit.Patience)
	wantBad(t, s.DoHandshake, "ssl.do_handshake", "close_notify")
}

// Every byte of the handshake that changes is noticed, on at least one side.
func TestChangedHandshake(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		clientConfig.CurvePreferences = []tls.CurveID{tls.X25519}
		for pos := 0; ; pos += 7 {
			r := newRelay(t, clientConfig, serverConfig)
			changed := false
			change := func(data []byte, seen *int) []byte {
				if at := pos - *seen; at >= 0 && at < len(data) {
					data[at] ^= 0x40
					changed = true
				}
				*seen += len(data)
				return data
			}
			var up int
			var client, server error
			for range 4 {
				client = r.client.DoHandshake()
				r.toServer(t, change(r.fromClient(t), &up))
				server = r.server.DoHandshake()
				r.toClient(t, r.fromServer(t))
			}
			if !changed {
				check(t, client)
				check(t, server)
				return
			}
			if client == nil && server == nil {
				t.Errorf("byte %d has changed, which nobody has noticed", pos)
			}
		}
	})
}

// A byte of a record that changes is noticed, and the peer is told.
func TestChangedRecord(t *testing.T) {
	eachVersion(t, func(t *testing.T, clientConfig, serverConfig *tls.Config) {
		r := newRelay(t, clientConfig, serverConfig)
		r.shake(t)
		r.toClient(t, r.fromServer(t))
		send(t, r.client, "spam")
		data := r.fromClient(t)
		data[len(data)-1] ^= 1
		r.toServer(t, data)
		readable(t, r.server, testkit.Patience)
		receive := func(s *ssl.Socket) func() error {
			return func() error {
				n, err := s.Recv(make([]byte, 10))
				if n != 0 {
					t.Errorf("received %d bytes", n)
				}
				return err
			}
		}
		wantBad(t, receive(r.server), "ssl.recv", "bad record MAC")
		_, err := r.server.Send([]byte("spam"))
		wantError(t, err, err, "ssl.send", "bad record MAC")
		r.toClient(t, r.fromServer(t))
		readable(t, r.client, testkit.Patience)
		wantBad(t, receive(r.client), "ssl.recv", "remote error: tls: bad record MAC")
	})
}

// Between the messages of the handshake, there are too many records that say nothing.
func TestFloodInHandshake(t *testing.T) {
	testkit.NoLeaks(t)
	clientConfig, serverConfig := configs(tls.VersionTLS13)
	r := newRelay(t, clientConfig, serverConfig)
	wantError(t, r.client.DoHandshake(), ssl.ErrWantRead)
	r.toServer(t, r.fromClient(t))
	r.toServer(t, bytes.Repeat(record(changeCipherSpec, 1), 100))
	wantBad(t, r.server.DoHandshake, "too many ignored records")
	r.toClient(t, r.fromServer(t))
	wantBad(t, func() error { _, err := r.client.Recv(make([]byte, 1)); return err }, "remote error: tls: unexpected message")
}

// A traffic is what one side of a TLS 1.3 connection sends after the handshake, in place of crypto/tls, which does not send
// everything that it may.
type traffic struct {
	secret []byte
	seq    uint64
}

// forge returns a relay whose handshake is done, and the traffic of both sides.
func forge(t testing.TB) (r *relay, client, server *traffic) {
	t.Helper()
	clientConfig, serverConfig := configs(tls.VersionTLS13)
	serverConfig.SessionTicketsDisabled = true // which would be the first records
	var log bytes.Buffer
	clientConfig.KeyLogWriter = &log
	r = newRelay(t, clientConfig, serverConfig)
	r.shake(t)
	if suite := r.client.Cipher(); suite != "TLS_AES_128_GCM_SHA256" {
		t.Skipf("the cipher suite is %s here", suite)
	}
	secret := func(label string) []byte {
		match := regexp.MustCompile(label + "_TRAFFIC_SECRET_0 [0-9a-f]+ ([0-9a-f]+)").FindSubmatch(log.Bytes())
		return must[[]byte](t)(hex.DecodeString(string(match[1])))
	}
	return r, &traffic{secret: secret("CLIENT")}, &traffic{secret: secret("SERVER")}
}

func (f *traffic) expand(label string, size int) []byte {
	label = "tls13 " + label
	info := string(binary.BigEndian.AppendUint16(nil, uint16(size))) + string(rune(len(label))) + label + "\x00"
	key, err := hkdf.Expand(sha256.New, f.secret, info, size)
	if err != nil {
		panic(err)
	}
	return key
}

func (f *traffic) next() (aead cipher.AEAD, nonce []byte) {
	block, err := aes.NewCipher(f.expand("key", 16))
	if err != nil {
		panic(err)
	}
	aead, err = cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	nonce = f.expand("iv", 12)
	for i, b := range binary.BigEndian.AppendUint64(nil, f.seq) {
		nonce[4+i] ^= b
	}
	f.seq++
	return aead, nonce
}

// record returns an encrypted one.
func (f *traffic) record(typ byte, data ...byte) []byte {
	aead, nonce := f.next()
	header := record(applicationData, make([]byte, len(data)+1+aead.Overhead())...)[:5]
	return aead.Seal(header, nonce, append(slices.Clone(data), typ), header)
}

// open decrypts the first record of data.
func (f *traffic) open(t testing.TB, data []byte) (typ byte, content, rest []byte) {
	t.Helper()
	aead, nonce := f.next()
	end := 5 + int(binary.BigEndian.Uint16(data[3:]))
	content = must[[]byte](t)(aead.Open(nil, nonce, data[5:end], data[:5]))
	return content[len(content)-1], content[:len(content)-1], data[end:]
}

// update takes the next key.
func (f *traffic) update() { f.secret, f.seq = f.expand("traffic upd", 32), 0 }

// keyUpdate returns a request for a new key, after which the own one is new.
func (f *traffic) keyUpdate() []byte {
	defer f.update()
	return f.record(handshake, 24, 0, 0, 1, 1)
}

func TestKeyUpdate(t *testing.T) {
	testkit.NoLeaks(t)
	r, client, server := forge(t)
	r.toServer(t, client.record(applicationData, []byte("spam")...))
	wantRecv(t, r.server, "spam")
	update := client.keyUpdate()
	r.toServer(t, update[:10])
	wantNothing(t, r.server)
	r.toServer(t, update[10:])
	wantNothing(t, r.server)
	r.toServer(t, client.record(applicationData, []byte("eggs")...))
	wantRecv(t, r.server, "eggs")
	send(t, r.server, "ham")
	typ, answer, rest := server.open(t, r.fromServer(t))
	if typ != handshake || !slices.Equal(answer, []byte{24, 0, 0, 1, 0}) {
		t.Errorf("the answer is %x", answer)
	}
	server.update()
	if typ, data, rest := server.open(t, rest); typ != applicationData || string(data) != "ham" || len(rest) > 0 {
		t.Errorf("received %q and %x", data, rest)
	}
}

// A new key is taken also when the peer cannot be answered.
func TestKeyUpdateAfterShutdown(t *testing.T) {
	testkit.NoLeaks(t)
	r, client, _ := forge(t)
	check(t, r.server.Shutdown(socket.SHUT_WR))
	for range 3 {
		r.toServer(t, client.keyUpdate())
		r.toServer(t, client.record(applicationData, []byte("spam")...))
		wantRecv(t, r.server, "spam")
	}
	_, err := r.server.Send([]byte("spam"))
	wantError(t, err, socket.ErrBrokenPipe, "ssl.send")
}

// After close_notify, nothing is said any more: the next thing may be plain text.
func TestNoAnswerAfterCloseNotify(t *testing.T) {
	testkit.NoLeaks(t)
	r, client, server := forge(t)
	_, err := r.server.Unwrap()
	wantError(t, err, ssl.ErrWantRead)
	if typ, content, _ := server.open(t, r.fromServer(t)); typ != alert || !slices.Equal(content, []byte{1, 0}) {
		t.Errorf("the peer was told %x", content)
	}
	r.toServer(t, client.keyUpdate())
	r.toServer(t, client.record(applicationData, []byte("spam")...))
	wantRecv(t, r.server, "spam")
	r.toServer(t, client.record(alert, 1, 0))
	readable(t, r.server, testkit.Patience)
	unwrap(t, r.server)
	if answer := r.fromServer(t); len(answer) > 0 {
		t.Errorf("the answer is %x", answer)
	}
}

// A message that comes in several records.
func TestMessageInParts(t *testing.T) {
	testkit.NoLeaks(t)
	r, client, _ := forge(t)
	for _, b := range []byte{24, 0, 0, 1, 0} {
		r.toServer(t, client.record(handshake, b))
		wantNothing(t, r.server)
	}
	client.update()
	r.toServer(t, client.record(applicationData, []byte("spam")...))
	wantRecv(t, r.server, "spam")
}

// A peer that asks for answers, and does not receive them, is not listened to until it does.
func TestAnswersAreNotReceived(t *testing.T) {
	testkit.NoLeaks(t)
	r, client, server := forge(t)
	filling, sentFilling := make([]byte, 1<<14), 1
	for ; ; sentFilling++ {
		if _, err := r.server.Send(filling); err != nil {
			wantError(t, err, ssl.ErrWantWrite)
			break
		}
	}
	received := 0
	receive := func() error {
		n, err := r.server.Recv(make([]byte, 10))
		received += n
		return err
	}
	sent := 0
	for err := error(nil); err == nil; {
		if sent > 2000 { // answers of 27 bytes
			t.Fatal("there is no end")
		}
		var data []byte
		for range 20 {
			data = append(data, client.keyUpdate()...)
			data = append(data, client.record(applicationData, 'x')...)
			sent++
		}
		r.toServer(t, data)
		for err == nil && received < sent {
			if err = receive(); errors.Is(err, ssl.ErrWantRead) && readable(t, r.server, testkit.Patience) {
				err = nil
			}
		}
		if err != nil {
			wantError(t, err, ssl.ErrWantWrite, "ssl.recv", "writable")
		}
	}
	block(r.server)
	done := make(chan struct{})
	waiter := testkit.Go(t, func() { // until there is room
		defer close(done)
		for received < sent {
			check(t, receive())
		}
		send(t, r.server, string(filling))
		send(t, r.server, "ham")
	}).Blocked()
	var data []byte
	for over := false; !over; {
		select {
		case <-done:
			over = true
		case <-time.After(time.Millisecond):
		}
		data = append(data, r.fromServer(t)...)
	}
	waiter.Wait()
	filled, answers := 0, 0
	for {
		typ, content, rest := server.open(t, data)
		if data = rest; len(data) == 0 {
			if typ != applicationData || string(content) != "ham" {
				t.Errorf("received %q", content)
			}
			break
		}
		if typ == applicationData {
			filled += len(content)
			continue
		}
		if answers++; typ != handshake || !slices.Equal(content, []byte{24, 0, 0, 1, 0}) {
			t.Fatalf("answer %d is %x", answers, content)
		}
		server.update()
	}
	if filled != sentFilling*len(filling) || answers != sent {
		t.Errorf("received %d bytes and %d answers, want %d and %d", filled, answers, sentFilling*len(filling), sent)
	}
}

// After the handshake, there is too much that says nothing, or what may not be there.
func TestBadRecordsAfterHandshake(t *testing.T) {
	for name, test := range map[string]struct {
		data  func(f *traffic) []byte
		want  string
		alert byte
	}{
		"empty records": {func(f *traffic) (data []byte) {
			for range 40 {
				data = append(data, f.record(applicationData)...)
			}
			return data
		}, "too many ignored records", 10},
		"key updates": {func(f *traffic) (data []byte) {
			for range 40 {
				data = append(data, f.keyUpdate()...)
			}
			return data
		}, "too many non-advancing records", 10},
		"an empty message":  {func(f *traffic) []byte { return f.record(handshake) }, "unexpected message", 10},
		"an unknown type":   {func(f *traffic) []byte { return f.record(99, 1) }, "unexpected message", 10},
		"a long record":     {func(f *traffic) []byte { return f.record(applicationData, make([]byte, 1<<14+1)...) }, "record overflow", 22},
		"a longer record":   {func(f *traffic) []byte { return record(applicationData, make([]byte, 1<<14+300)...) }, "oversized record", 22},
		"a hello":           {func(f *traffic) []byte { return f.record(handshake, 1, 0, 0, 0) }, "error decoding message", 50},
		"data in a message": {func(f *traffic) []byte { return append(f.record(handshake, 24, 0), f.record(applicationData, 1)...) }, "unexpected message", 10},
		"the wrong key":     {func(f *traffic) []byte { f.update(); return f.record(applicationData, 1) }, "bad record MAC", 20},
		"an alert":          {func(f *traffic) []byte { return f.record(alert, 2, 80) }, "remote error: tls: internal error", 0},
		"a plain alert":     {func(f *traffic) []byte { return record(alert, 2, 80) }, "tls: ", 20},
		"plain application": {func(f *traffic) []byte { return record(applicationData, 1) }, "bad record MAC", 20},
		"a late Finished":   {func(f *traffic) []byte { return f.record(handshake, 20, 0, 0, 0) }, "unexpected handshake message", 10},
		"a ticket": {func(f *traffic) []byte {
			return f.record(handshake, 4, 0, 0, 14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0)
		}, "session ticket", 10},
		"nothing as a key":   {func(f *traffic) []byte { return f.record(handshake, 24, 0, 0, 0) }, "error decoding message", 50},
		"a record of a zero": {func(f *traffic) []byte { return record(applicationData) }, "bad record MAC", 20},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.NoLeaks(t)
			r, client, server := forge(t)
			r.toServer(t, client.record(applicationData, []byte("spam")...))
			data := test.data(client)
			for len(data) > 1000 {
				r.toServer(t, data[:1000])
				data = data[1000:]
				if runtime.GOOS == "windows" {
					readable(t, r.server, testkit.Patience)
				}
			}
			r.toServer(t, data)
			wantRecv(t, r.server, "spam")
			wantBad(t, func() error { _, err := r.server.Recv(make([]byte, 10)); return err }, "ssl.recv", test.want)
			told := r.fromServer(t)
			for {
				if len(told) == 0 {
					if test.alert != 0 {
						t.Error("the peer was not told")
					}
					break
				}
				typ, content, rest := server.open(t, told)
				if told = rest; typ == handshake {
					server.update()
				} else if typ != alert || !slices.Equal(content, []byte{2, test.alert}) {
					t.Errorf("the peer was told %x", content)
				} else {
					break
				}
			}
		})
	}
}

// In TLS 1.2, a server may ask for another handshake, which is refused.
func TestRenegotiation(t *testing.T) {
	testkit.NoLeaks(t)
	clientConfig, serverConfig := configs(tls.VersionTLS12)
	clientConfig.Renegotiation = tls.RenegotiateFreelyAsClient
	clientConfig.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	var log bytes.Buffer
	clientConfig.KeyLogWriter = &log
	r := newRelay(t, clientConfig, serverConfig)
	wantError(t, r.client.DoHandshake(), ssl.ErrWantRead)
	r.toServer(t, r.fromClient(t))
	wantError(t, r.server.DoHandshake(), ssl.ErrWantRead)
	hello := r.fromServer(t)
	r.toClient(t, hello)
	r.shake(t)

	// The key of the server, see sections 5, 6.2.3.3 and 6.3 of RFC 5246.
	match := regexp.MustCompile("CLIENT_RANDOM ([0-9a-f]+) ([0-9a-f]+)").FindSubmatch(log.Bytes())
	clientRandom := must[[]byte](t)(hex.DecodeString(string(match[1])))
	master := must[[]byte](t)(hex.DecodeString(string(match[2])))
	hash := func(data ...[]byte) []byte {
		mac := hmac.New(sha256.New, master)
		mac.Write(slices.Concat(data...))
		return mac.Sum(nil)
	}
	seed := slices.Concat([]byte("key expansion"), hello[11:][:32], clientRandom)
	a1 := hash(seed)
	keys := append(hash(a1, seed), hash(hash(a1), seed)...) // client's key, server's key, client's IV, server's IV
	block := must[cipher.Block](t)(aes.NewCipher(keys[16:32]))
	aead := must[cipher.AEAD](t)(cipher.NewGCM(block))

	request := []byte{0, 0, 0, 0}
	explicit := binary.BigEndian.AppendUint64(nil, 1) // Finished was 0
	header := record(handshake, make([]byte, len(explicit)+len(request)+aead.Overhead())...)[:5]
	data := append(header, explicit...)
	data = aead.Seal(data, append(keys[36:40:40], explicit...), request, slices.Concat(explicit, record(handshake, request...)[:5]))
	r.toClient(t, data)
	readable(t, r.client, testkit.Patience)
	_, err := r.client.Recv(make([]byte, 1))
	wantError(t, err, err, "ssl.recv", "no renegotiation")
	r.toServer(t, r.fromClient(t))
	_, err = r.server.Recv(make([]byte, 1))
	wantError(t, err, ssl.ErrWantRead) // the alert is a warning
	if clientConfig.Renegotiation != tls.RenegotiateFreelyAsClient {
		t.Error("the caller's config has changed")
	}
}

// Makes calls with connect-go, over its three protocols. It encodes no messages: all of them are empty, or of no interest.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"lab/cases"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
)

// message is a message as it is on the wire.
type message struct{ data []byte }

type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error) { return v.(*message).data, nil }

func (bytesCodec) Unmarshal(data []byte, v any) error {
	v.(*message).data = append([]byte(nil), data...)
	return nil
}

// MarshalStable and IsBinary allow HTTP GET.
func (codec bytesCodec) MarshalStable(v any) ([]byte, error) { return codec.Marshal(v) }

func (bytesCodec) IsBinary() bool { return true }

func (bytesCodec) Name() string { return "proto" }

type clients struct {
	sync.Mutex
	shared map[string]*http.Client
}

func newClient(one cases.Case) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(one.HTTP == "1.1")
	protocols.SetHTTP2(one.HTTP == "2" && one.TLS)
	protocols.SetUnencryptedHTTP2(one.HTTP == "2" && !one.TLS)
	return &http.Client{Transport: &http.Transport{
		Protocols:           &protocols,
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
		MaxIdleConnsPerHost: 1000,
	}}
}

func (c *clients) of(one cases.Case) *http.Client {
	c.Lock()
	defer c.Unlock()
	key := one.Target + one.HTTP
	if c.shared[key] == nil {
		c.shared[key] = newClient(one)
	}
	return c.shared[key]
}

func main() {
	open := clients{shared: map[string]*http.Client{}}
	cases.Run(func(one cases.Case) (int, error) {
		if !one.Cold {
			return call(open.of(one), one)
		}
		own := newClient(one)
		defer own.CloseIdleConnections()
		return call(own, one)
	})
}

func call(web *http.Client, one cases.Case) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if one.DeadlineMs > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, cases.Duration(one.DeadlineMs))
		defer end()
	}
	if one.CancelAfterMs > 0 {
		timer := time.AfterFunc(cases.Duration(one.CancelAfterMs), cancel)
		defer timer.Stop()
	}
	err := run(ctx, web, one)
	if err == nil {
		return 0, nil
	}
	return int(connect.CodeOf(err)), err
}

func run(ctx context.Context, web *http.Client, one cases.Case) error {
	scheme := "http://"
	if one.TLS {
		scheme = "https://"
	}
	options := []connect.ClientOption{connect.WithCodec(bytesCodec{})}
	switch one.Protocol {
	case "grpc":
		options = append(options, connect.WithGRPC())
	case "grpc-web":
		options = append(options, connect.WithGRPCWeb())
	}
	if one.How == "get" {
		options = append(options, connect.WithHTTPGet(), connect.WithIdempotency(connect.IdempotencyNoSideEffects))
	}
	client := connect.NewClient[message, message](web, scheme+one.Target+one.Path, options...)
	add := func(header http.Header) {
		for name, value := range one.Headers {
			header.Set(name, value)
		}
	}
	switch one.Kind {
	case "client_streaming":
		stream := client.CallClientStream(ctx)
		add(stream.RequestHeader())
		_ = stream.Send(&message{})
		_, err := stream.CloseAndReceive()
		return err
	case "bidi_streaming":
		stream := client.CallBidiStream(ctx)
		add(stream.RequestHeader())
		_ = stream.Send(&message{})
		if one.How != "keep-sending" {
			_ = stream.CloseRequest()
		}
		for {
			if _, err := stream.Receive(); err != nil {
				return ignoreEnd(err)
			}
		}
	case "server_streaming":
		request := connect.NewRequest(&message{})
		add(request.Header())
		stream, err := client.CallServerStream(ctx, request)
		if err != nil {
			return err
		}
		for stream.Receive() {
		}
		return stream.Err()
	default:
		request := connect.NewRequest(&message{})
		add(request.Header())
		_, err := client.CallUnary(ctx, request)
		return err
	}
}

// ignoreEnd takes the end of a stream for what it is.
func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

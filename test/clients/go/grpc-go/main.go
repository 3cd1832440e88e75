// Makes calls with grpc-go. It encodes no messages: all of them are empty, or of no interest.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"lab/cases"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// bytesCodec takes messages as they are on the wire.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func (bytesCodec) Name() string { return "proto" }

type connections struct {
	sync.Mutex
	shared map[string]*grpc.ClientConn
}

func dial(one cases.Case) *grpc.ClientConn {
	secrets := insecure.NewCredentials()
	if one.TLS {
		secrets = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
	}
	connection, err := grpc.NewClient(
		"passthrough:///"+one.Target,
		grpc.WithTransportCredentials(secrets),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{})),
	)
	if err != nil {
		panic(err)
	}
	return connection
}

func (c *connections) of(one cases.Case) *grpc.ClientConn {
	c.Lock()
	defer c.Unlock()
	key := one.Target
	if c.shared[key] == nil {
		c.shared[key] = dial(one)
	}
	return c.shared[key]
}

func main() {
	open := connections{shared: map[string]*grpc.ClientConn{}}
	cases.Run(func(one cases.Case) (int, error) {
		if !one.Cold {
			return call(open.of(one), one)
		}
		own := dial(one)
		defer own.Close()
		return call(own, one)
	})
}

func call(connection *grpc.ClientConn, one cases.Case) (int, error) {
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(context.Background(), metadata.New(one.Headers)))
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
	err := run(ctx, connection, one)
	return int(codeOf(err)), err
}

func codeOf(err error) codes.Code {
	if err == nil {
		return codes.OK
	}
	return status.Code(err)
}

func run(ctx context.Context, connection *grpc.ClientConn, one cases.Case) error {
	var request, response []byte
	if one.Kind == "unary" {
		return connection.Invoke(ctx, one.Path, &request, &response)
	}
	description := &grpc.StreamDesc{
		ClientStreams: one.Kind != "server_streaming",
		ServerStreams: one.Kind != "client_streaming",
	}
	stream, err := connection.NewStream(ctx, description, one.Path)
	if err != nil {
		return err
	}
	// What has become of the stream, the receiving tells.
	_ = stream.SendMsg(&request)
	if one.How != "keep-sending" {
		_ = stream.CloseSend()
	}
	for {
		err := stream.RecvMsg(&response)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if one.Kind == "client_streaming" {
			return nil
		}
	}
}

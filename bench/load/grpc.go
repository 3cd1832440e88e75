package main

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// bytesCodec takes messages as they are on the wire.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func (bytesCodec) Name() string { return "proto" }

// newGRPCCaller keeps a connection to each server.
func newGRPCCaller() caller {
	connections := connectionsByTarget{shared: map[string]*grpc.ClientConn{}}
	return func(ctx context.Context, one *job) error {
		ctx = metadata.NewOutgoingContext(ctx, metadata.New(one.Headers))
		connection, err := connections.of(one.Target)
		if err != nil {
			return err
		}
		if one.IsStream {
			return receiveAll(ctx, connection, one)
		}
		var response []byte
		return connection.Invoke(ctx, one.Path, &one.Message, &response)
	}
}

func receiveAll(ctx context.Context, connection *grpc.ClientConn, one *job) error {
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, one.Path)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(&one.Message); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		var response []byte
		err := stream.RecvMsg(&response)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

type connectionsByTarget struct {
	sync.Mutex
	shared map[string]*grpc.ClientConn
}

func (c *connectionsByTarget) of(target string) (*grpc.ClientConn, error) {
	c.Lock()
	defer c.Unlock()
	if c.shared[target] == nil {
		connection, err := dial(target)
		if err != nil {
			return nil, err
		}
		c.shared[target] = connection
	}
	return c.shared[target], nil
}

func dial(target string) (*grpc.ClientConn, error) {
	return grpc.NewClient(
		"passthrough:///"+target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{})),
	)
}

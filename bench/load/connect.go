package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
)

// endOfStream marks the last envelope of a Connect stream. What it holds tells whether the call failed.
const endOfStream = 2

func newConnectCaller() caller {
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: protocols, DisableCompression: true}}
	return func(ctx context.Context, one *job) error {
		contentType, body := "application/proto", one.Message
		if one.IsStream {
			contentType, body = "application/connect+proto", envelope(one.Message)
		}
		request, err := http.NewRequestWithContext(ctx, "POST", "http://"+one.Target+one.Path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("content-type", contentType)
		request.Header.Set("connect-protocol-version", "1")
		for name, value := range one.Headers {
			request.Header.Set(name, value)
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("HTTP status %d: %s", response.StatusCode, answer)
		}
		if one.IsStream {
			return endOf(answer)
		}
		return nil
	}
}

func envelope(message []byte) []byte {
	framed := make([]byte, 5, 5+len(message))
	binary.BigEndian.PutUint32(framed[1:], uint32(len(message)))
	return append(framed, message...)
}

// endOf looks for the end of a stream that went well, which is an empty JSON object.
func endOf(stream []byte) error {
	for len(stream) >= 5 {
		flags, length := stream[0], binary.BigEndian.Uint32(stream[1:5])
		message := stream[5 : 5+length]
		if flags&endOfStream == 0 {
			stream = stream[5+length:]
			continue
		}
		if string(message) != "{}" {
			return fmt.Errorf("the stream ended with %s", message)
		}
		return nil
	}
	return fmt.Errorf("the stream has no end")
}

// Makes calls as fast as the server answers. Each line of its input is a job, and it answers each with a line; see load.ts.
// gRPC calls are grpc-go's, and Connect calls are made with net/http over HTTP/2. It decodes no messages.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

type job struct {
	Protocol    string            `json:"protocol"`
	Target      string            `json:"target"`
	Path        string            `json:"path"`
	Headers     map[string]string `json:"headers"`
	Message     []byte            `json:"message"`
	IsStream    bool              `json:"isStream"`
	Calls       int64             `json:"calls"`
	Concurrency int               `json:"concurrency"`
}

type answer struct {
	Seconds float64 `json:"seconds"`
	P50Us   float64 `json:"p50Us"`
	P99Us   float64 `json:"p99Us"`
	Error   string  `json:"error"`
}

// caller makes one call, and reads its answer to the end.
type caller func(ctx context.Context, one *job) error

func main() {
	callers := map[string]caller{"grpc": newGRPCCaller(), "connect": newConnectCaller()}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<20)
	output := json.NewEncoder(os.Stdout)
	for input.Scan() {
		var one job
		result := answer{}
		if err := json.Unmarshal(input.Bytes(), &one); err != nil {
			result.Error = err.Error()
		} else {
			result = run(&one, callers[one.Protocol])
		}
		if err := output.Encode(result); err != nil {
			panic(err)
		}
	}
}

func run(one *job, call caller) answer {
	var left atomic.Int64
	left.Store(one.Calls)
	var failure atomic.Pointer[string]
	var workers sync.WaitGroup
	times := make([][]time.Duration, one.Concurrency)
	start := time.Now()
	for worker := range one.Concurrency {
		workers.Go(func() {
			for left.Add(-1) >= 0 && failure.Load() == nil {
				begin := time.Now()
				if err := call(context.Background(), one); err != nil {
					text := err.Error()
					failure.Store(&text)
					return
				}
				times[worker] = append(times[worker], time.Since(begin))
			}
		})
	}
	workers.Wait()
	result := answer{Seconds: time.Since(start).Seconds()}
	if text := failure.Load(); text != nil {
		result.Error = *text
		return result
	}
	all := slices.Concat(times...)
	slices.Sort(all)
	result.P50Us = microseconds(all[len(all)/2])
	result.P99Us = microseconds(all[len(all)*99/100])
	return result
}

func microseconds(d time.Duration) float64 {
	return float64(d) / float64(time.Microsecond)
}

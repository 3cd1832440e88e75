// Package cases reads the cases of a run, starts each at its time, and prints what its caller saw. See case.ts.
package cases

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// Case is one call. Its fields are explained in case.ts.
type Case struct {
	ID            string            `json:"id"`
	StartMs       float64           `json:"startMs"`
	Target        string            `json:"target"`
	TLS           bool              `json:"tls"`
	HTTP          string            `json:"http"`
	Protocol      string            `json:"protocol"`
	Kind          string            `json:"kind"`
	Path          string            `json:"path"`
	DeadlineMs    float64           `json:"deadlineMs"`
	CancelAfterMs float64           `json:"cancelAfterMs"`
	Cold          bool              `json:"cold"`
	How           string            `json:"how"`
	Headers       map[string]string `json:"headers"`
}

type outcome struct {
	ID      string  `json:"id"`
	Code    int     `json:"code"`
	Ms      float64 `json:"ms"`
	LateMs  float64 `json:"lateMs"`
	Message string  `json:"message,omitempty"`
}

// Duration converts milliseconds.
func Duration(ms float64) time.Duration {
	return time.Duration(ms * float64(time.Millisecond))
}

// Run makes the calls. A call returns its gRPC code.
//
// An empty line ends the cases. Then Run warms up each connection that several calls share, prints "ready", and begins when
// the standard input ends.
func Run(call func(Case) (int, error)) {
	lines := bufio.NewScanner(os.Stdin)
	all := read(lines)
	warmUp(all, call)
	fmt.Println("ready")
	lines.Scan()
	var done sync.WaitGroup
	var printing sync.Mutex
	out := json.NewEncoder(os.Stdout)
	begin := time.Now()
	for _, one := range all {
		done.Go(func() {
			time.Sleep(time.Until(begin.Add(Duration(one.StartMs))))
			start := time.Now()
			code, err := call(one)
			took := time.Since(start)
			late := start.Sub(begin).Seconds()*1000 - one.StartMs
			result := outcome{ID: one.ID, Code: code, Ms: took.Seconds() * 1000, LateMs: late}
			if err != nil {
				result.Message = err.Error()
			}
			printing.Lock()
			defer printing.Unlock()
			if err := out.Encode(result); err != nil {
				panic(err)
			}
		})
	}
	done.Wait()
}

func read(lines *bufio.Scanner) []Case {
	var all []Case
	for lines.Scan() && len(lines.Bytes()) > 0 {
		var one Case
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			panic(err)
		}
		all = append(all, one)
	}
	return all
}

func warmUp(all []Case, call func(Case) (int, error)) {
	warm := map[string]bool{}
	for _, one := range all {
		key := fmt.Sprint(one.Target, one.TLS, one.HTTP, one.Protocol)
		if one.Cold || warm[key] {
			continue
		}
		warm[key] = true
		one.DeadlineMs, one.CancelAfterMs, one.Kind = 10_000, 0, "unary"
		one.Path = "/example.account.v1.AccountService/ChangePassword"
		one.Headers = map[string]string{"x-case-handler": "answer"}
		if code, err := call(one); code != 0 {
			fmt.Fprintln(os.Stderr, "warm-up:", key, code, err)
		}
	}
}

// A network with a delay, for one namespace: `delay 0 10 25 50 100`.
//
// It makes a TUN device. For each one-way delay of N milliseconds, the address 10.99.N.2 leads back to 10.99.N.1, which is this
// machine, as if both were N milliseconds apart. It does so by swapping the addresses of each packet, which leaves its
// checksums right. Needs the rights of the namespace's owner. It ends when its standard input ends.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

const (
	name      = "lab0"
	tunSetIff = 0x400454ca
	iffTun    = 0x0001
	iffNoPi   = 0x1000
	// Longer queues than any run fills.
	queueLength = 65_536
)

type packet struct {
	data []byte
	due  time.Time
}

func main() {
	device, err := open()
	if err != nil {
		fail("no TUN device: " + err.Error())
	}
	run("link", "set", name, "mtu", "1500", "txqueuelen", "10000", "up")
	queues := map[byte]chan packet{}
	delays := map[byte]time.Duration{}
	for _, argument := range os.Args[1:] {
		ms, err := strconv.ParseUint(argument, 10, 8)
		if err != nil {
			fail("a delay is a number of milliseconds up to 255: got " + argument)
		}
		run("address", "add", fmt.Sprintf("10.99.%d.1/24", ms), "dev", name)
		queue := make(chan packet, queueLength)
		queues[byte(ms)] = queue
		delays[byte(ms)] = time.Duration(ms) * time.Millisecond
		go deliver(device, queue)
	}
	fmt.Println("ready")
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		data := make([]byte, 2_048)
		length, err := device.Read(data)
		if err != nil {
			fail(err.Error())
		}
		data = data[:length]
		if length < 20 || data[0]>>4 != 4 {
			continue
		}
		network := data[18]
		queue, known := queues[network]
		if !known {
			continue
		}
		var source [4]byte
		copy(source[:], data[12:16])
		copy(data[12:16], data[16:20])
		copy(data[16:20], source[:])
		queue <- packet{data, time.Now().Add(delays[network])}
	}
}

// deliver keeps the order: packets of one network all wait equally long.
func deliver(device *os.File, queue <-chan packet) {
	for one := range queue {
		time.Sleep(time.Until(one.due))
		if _, err := device.Write(one.data); err != nil {
			fmt.Fprintln(os.Stderr, "delay: a packet was lost:", err)
		}
	}
}

func open() (*os.File, error) {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	var request [40]byte
	copy(request[:15], name)
	*(*uint16)(unsafe.Pointer(&request[16])) = iffTun | iffNoPi
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), tunSetIff, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return nil, errno
	}
	return os.NewFile(uintptr(fd), name), nil
}

func run(arguments ...string) {
	if output, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil {
		fail(fmt.Sprint("ip ", arguments, ": ", err, " ", string(output)))
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "delay:", message)
	os.Exit(1)
}

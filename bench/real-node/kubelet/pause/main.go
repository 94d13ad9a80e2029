// All that the benchmark's pods do: sleep until they are told to end. They read and write nothing, because what a
// container itself writes escapes the throttle of the root cgroup.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}

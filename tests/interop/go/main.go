// Command interop is a stranger to Throughline: a producer or consumer of events by Go's own libraries.
//
//	interop http_producer URL
//	interop http_consumer COUNT
//	interop kafka_producer BROKERS TOPIC
//	interop kafka_consumer BROKERS TOPIC COUNT
//
// Where its spans go and its service's name come from the environment.
package main

import (
	"context"
	"fmt"
	"os"
)

var programs = map[string]func(ctx context.Context, args []string) error{
	"http_producer":  produceHTTP,
	"http_consumer":  consumeHTTP,
	"kafka_producer": produceKafka,
	"kafka_consumer": consumeKafka,
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) < 2 || programs[args[0]] == nil {
		return fmt.Errorf("usage: interop http_producer|http_consumer|kafka_producer|kafka_consumer ARGUMENTS")
	}
	shutdown, err := setUpTelemetry(ctx)
	if err != nil {
		return err
	}
	if err := programs[args[0]](ctx, args[1:]); err != nil {
		return err
	}
	return shutdown(ctx)
}

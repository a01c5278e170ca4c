package main

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// consumeHTTP receives events on a free port until it has as many as asked for.
func consumeHTTP(ctx context.Context, args []string) error {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	results := make(chan error)
	handler := func(response http.ResponseWriter, request *http.Request) {
		err := receiveHTTP(request)
		status := http.StatusNoContent
		if err != nil {
			status = http.StatusBadRequest
		}
		response.WriteHeader(status)
		results <- err
	}
	server := &http.Server{Handler: http.HandlerFunc(handler)}
	go server.Serve(listener)
	if err := printLine(ready{true, "http://" + listener.Addr().String() + "/events"}); err != nil {
		return err
	}
	for range count {
		if err := <-results; err != nil {
			return err
		}
	}
	return server.Shutdown(ctx)
}

func receiveHTTP(request *http.Request) error {
	ctx := otel.GetTextMapPropagator().Extract(request.Context(), propagation.HeaderCarrier(request.Header))
	ctx, span := tracer.Start(ctx, "receive", trace.WithSpanKind(trace.SpanKindConsumer))
	defer span.End()
	mode := "structured"
	if request.Header.Get("ce-specversion") != "" {
		mode = "binary"
		if err := decodeAttributes(request.Header); err != nil {
			return err
		}
	}
	event, err := cehttp.NewEventFromHTTPRequest(request)
	if err != nil {
		return err
	}
	return printReceived(ctx, mode, *event, request.Header.Values("traceparent"))
}

// decodeAttributes does what the HTTP binding asks for in 3.1.3.2 and this SDK leaves to its user.
func decodeAttributes(header http.Header) error {
	for name, values := range header {
		if !strings.HasPrefix(name, "Ce-") {
			continue
		}
		decoded, err := url.PathUnescape(values[0])
		if err != nil {
			return err
		}
		header.Set(name, decoded)
	}
	return nil
}

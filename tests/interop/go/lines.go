package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

// request is a line on stdin: an event to send, in the JSON event format, and how.
type request struct {
	Mode  string      `json:"mode"`
	Event event.Event `json:"event"`
}

type ids struct {
	TraceID string `json:"traceId"`
	SpanID  string `json:"spanId"`
}

type sent struct {
	ID   string `json:"id"`
	Span ids    `json:"span"`
}

// received is a line on stdout; Traceparents has every one of the message, to see that it is one.
type received struct {
	Mode         string            `json:"mode"`
	Event        event.Event       `json:"event"`
	Traceparents []string          `json:"traceparents"`
	Baggage      map[string]string `json:"baggage"`
	Span         ids               `json:"span"`
}

type ready struct {
	Ready bool   `json:"ready"`
	URL   string `json:"url,omitempty"`
}

func eachRequest(send func(request) error) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var next request
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			return err
		}
		if err := send(next); err != nil {
			return err
		}
	}
	return lines.Err()
}

func printLine(line any) error {
	return json.NewEncoder(os.Stdout).Encode(line)
}

// printReceived takes the span and the baggage that arrived from the context.
func printReceived(ctx context.Context, mode string, e event.Event, traceparents []string) error {
	// JSON has no place for bytes, and a received event does not say that it has some.
	contentType := e.DataContentType()
	e.DataBase64 = !strings.Contains(contentType, "json") && !strings.HasPrefix(contentType, "text/")
	arrived := map[string]string{}
	for _, member := range baggage.FromContext(ctx).Members() {
		arrived[member.Key()] = member.Value()
	}
	return printLine(received{mode, e, traceparents, arrived, idsOf(trace.SpanFromContext(ctx))})
}

func idsOf(span trace.Span) ids {
	spanContext := span.SpanContext()
	return ids{spanContext.TraceID().String(), spanContext.SpanID().String()}
}

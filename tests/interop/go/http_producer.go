package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// produceHTTP posts events to a URL.
func produceHTTP(ctx context.Context, args []string) error {
	return eachRequest(func(next request) error {
		ctx, span := tracer.Start(ctx, "post", trace.WithSpanKind(trace.SpanKindProducer))
		defer span.End()
		post, err := http.NewRequestWithContext(withMode(ctx, next.Mode), http.MethodPost, args[0], nil)
		if err != nil {
			return err
		}
		if err := cehttp.WriteRequest(post.Context(), binding.ToMessage(&next.Event), post); err != nil {
			return err
		}
		if err := inject(ctx, propagation.HeaderCarrier(post.Header)); err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(post)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode >= 300 {
			return fmt.Errorf("%s was answered %s", next.Event.ID(), response.Status)
		}
		return printLine(sent{next.Event.ID(), idsOf(span)})
	})
}

func withMode(ctx context.Context, mode string) context.Context {
	if mode == "structured" {
		return binding.WithForceStructured(ctx)
	}
	return binding.WithForceBinary(ctx)
}

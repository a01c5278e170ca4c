package main

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
)

var tracer = otel.Tracer("interop")

// setUpTelemetry is what any Go service does; the exporter reads OTEL_EXPORTER_OTLP_ENDPOINT.
func setUpTelemetry(ctx context.Context) (shutdown func(context.Context) error, err error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(
		propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	return provider.Shutdown, nil
}

// inject writes the context's span, and baggage that is to arrive with it.
func inject(ctx context.Context, carrier propagation.TextMapCarrier) error {
	member, err := baggage.NewMember("tenant", "blue")
	if err != nil {
		return err
	}
	sent, err := baggage.New(member)
	if err != nil {
		return err
	}
	otel.GetTextMapPropagator().Inject(baggage.ContextWithBaggage(ctx, sent), carrier)
	return nil
}

package main

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

// consumeKafka reads as many events of a topic as asked for, from its beginning.
func consumeKafka(ctx context.Context, args []string) error {
	brokers, topic := args[0], args[1]
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: strings.Split(brokers, ","), Topic: topic, MaxWait: 100 * time.Millisecond,
	})
	defer reader.Close()
	if err := printLine(ready{Ready: true}); err != nil {
		return err
	}
	for range count {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			return err
		}
		if err := receiveKafka(ctx, message); err != nil {
			return err
		}
	}
	return nil
}

func receiveKafka(ctx context.Context, message kafka.Message) error {
	carrier := headerCarrier{&message.Headers}
	ctx = otel.GetTextMapPropagator().Extract(ctx, carrier)
	ctx, span := tracer.Start(ctx, "consume", trace.WithSpanKind(trace.SpanKindConsumer))
	defer span.End()
	mode, decode := "binary", decodeBinary
	if strings.HasPrefix(carrier.Get("content-type"), event.ApplicationCloudEventsJSON) {
		mode, decode = "structured", decodeStructured
	}
	e, err := decode(message)
	if err != nil {
		return err
	}
	return printReceived(ctx, mode, e, carrier.values("traceparent"))
}

func decodeStructured(message kafka.Message) (e event.Event, err error) {
	return e, json.Unmarshal(message.Value, &e)
}

func decodeBinary(message kafka.Message) (event.Event, error) {
	e := event.New()
	for _, header := range message.Headers {
		name, isAttribute := strings.CutPrefix(header.Key, "ce_")
		value := string(header.Value)
		switch {
		case header.Key == "content-type":
			e.SetDataContentType(value)
		case !isAttribute:
		case name == "id":
			e.SetID(value)
		case name == "source":
			e.SetSource(value)
		case name == "type":
			e.SetType(value)
		case name == "subject":
			e.SetSubject(value)
		case name == "dataschema":
			e.SetDataSchema(value)
		case name == "time":
			at, err := types.ParseTime(value)
			if err != nil {
				return e, err
			}
			e.SetTime(at)
		case name != "specversion":
			e.SetExtension(name, value)
		}
	}
	e.DataEncoded = message.Value
	return e, e.Validate()
}

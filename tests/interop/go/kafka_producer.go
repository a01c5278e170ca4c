package main

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"
)

// produceKafka writes events to a topic.
func produceKafka(ctx context.Context, args []string) error {
	brokers, topic := args[0], args[1]
	writer := &kafka.Writer{
		Addr: kafka.TCP(strings.Split(brokers, ",")...), Topic: topic, RequiredAcks: kafka.RequireAll, BatchSize: 1,
	}
	defer writer.Close()
	return eachRequest(func(next request) error {
		ctx, span := tracer.Start(ctx, "produce", trace.WithSpanKind(trace.SpanKindProducer))
		defer span.End()
		message, err := encodeKafka(next)
		if err != nil {
			return err
		}
		if err := inject(ctx, headerCarrier{&message.Headers}); err != nil {
			return err
		}
		if err := writer.WriteMessages(ctx, message); err != nil {
			return err
		}
		return printLine(sent{next.Event.ID(), idsOf(span)})
	})
}

// encodeKafka is the CloudEvents Kafka binding 1.0.2; the SDK has one only for other clients than this.
func encodeKafka(next request) (kafka.Message, error) {
	e := next.Event
	if next.Mode == "structured" {
		body, err := json.Marshal(e)
		return kafka.Message{Value: body, Headers: []kafka.Header{header("content-type", event.ApplicationCloudEventsJSON)}}, err
	}
	message := kafka.Message{Value: e.Data(), Headers: []kafka.Header{
		header("ce_specversion", e.SpecVersion()), header("ce_id", e.ID()),
		header("ce_source", e.Source()), header("ce_type", e.Type()),
	}}
	optional := map[string]string{
		"ce_subject": e.Subject(), "ce_dataschema": e.DataSchema(), "content-type": e.DataContentType(),
	}
	if !e.Time().IsZero() {
		optional["ce_time"] = types.FormatTime(e.Time())
	}
	for name, value := range e.Extensions() {
		text, err := types.Format(value)
		if err != nil {
			return message, err
		}
		optional["ce_"+name] = text
	}
	for name, value := range optional {
		if value != "" {
			message.Headers = append(message.Headers, header(name, value))
		}
	}
	return message, nil
}

func header(name, value string) kafka.Header {
	return kafka.Header{Key: name, Value: []byte(value)}
}

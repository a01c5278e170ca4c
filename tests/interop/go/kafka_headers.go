package main

import (
	"github.com/segmentio/kafka-go"
)

// headerCarrier is a record's headers to OpenTelemetry's propagators, by exact names.
type headerCarrier struct{ headers *[]kafka.Header }

func (c headerCarrier) Get(name string) string {
	if values := c.values(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

func (c headerCarrier) Set(name, value string) {
	*c.headers = append(*c.headers, kafka.Header{Key: name, Value: []byte(value)})
}

func (c headerCarrier) Keys() []string {
	names := make([]string, len(*c.headers))
	for i, header := range *c.headers {
		names[i] = header.Key
	}
	return names
}

func (c headerCarrier) values(name string) (values []string) {
	for _, header := range *c.headers {
		if header.Key == name {
			values = append(values, string(header.Value))
		}
	}
	return values
}

"""OpenTelemetry as any Python service sets it up. Where spans go and the service's name come from the environment."""

from opentelemetry import baggage, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

_provider = TracerProvider()
_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(_provider)

tracer = trace.get_tracer("interop")


def inject_context(carrier: dict) -> None:
    """The current span, and baggage that is to arrive with it."""
    inject(carrier, baggage.set_baggage("tenant", "blue"))


def shutdown() -> None:
    """Sends the spans that are left."""
    _provider.shutdown()

import type { Attributes } from '@opentelemetry/api'
import type { CloudEvent } from '../event.ts'

/** Attributes of an event by OpenTelemetry's CloudEvents conventions 1.44. */
export function eventAttributes(event: CloudEvent): Attributes {
  return {
    'cloudevents.event_id': event.id,
    'cloudevents.event_source': event.source,
    'cloudevents.event_type': event.type,
    'cloudevents.event_spec_version': event.specversion,
    ...(event.subject === undefined ? {} : { 'cloudevents.event_subject': event.subject }),
  }
}

/** Attributes of where a message goes or comes from (messaging conventions 1.44). */
export function destinationAttributes(destination: string, template: string | undefined): Attributes {
  return {
    'messaging.destination.name': destination,
    ...(template === undefined || template === destination
      ? {}
      : { 'messaging.destination.template': template }),
  }
}

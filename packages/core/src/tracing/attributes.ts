import type { Attributes } from '@opentelemetry/api'
import type { CloudEvent } from '../event.ts'

/** Attributes of an event by OpenTelemetry's CloudEvents conventions 1.44. */
export function eventAttributes({ id, source, type, specversion, subject }: CloudEvent): Attributes {
  const attributes: Attributes = {
    'cloudevents.event_id': id,
    'cloudevents.event_source': source,
    'cloudevents.event_type': type,
    'cloudevents.event_spec_version': specversion,
  }
  if (subject !== undefined) attributes['cloudevents.event_subject'] = subject
  return attributes
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

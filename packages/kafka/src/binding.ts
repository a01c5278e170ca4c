import { type Binding, createBinding } from '@throughline/core'

const PREFIX = 'ce_'

/**
 * CloudEvents Kafka protocol binding 1.0.2: attributes are record headers `ce_<name>` in UTF-8 without further encoding
 * (§3.2.3), the `content-type` header says the mode (§3), no data is a null value. `ce_` is read in any case.
 */
export const kafkaBinding: Binding = createBinding({
  specification: 'CloudEvents Kafka binding 1.0.2 §3.2',
  headerName: (attribute) => PREFIX + attribute,
  attributeName(header) {
    const name = header.toLowerCase()
    return name.length > PREFIX.length && name.startsWith(PREFIX) ? name.slice(PREFIX.length) : null
  },
  encodeValue: (text) => text,
  decodeValue: (text) => text,
  absentBody: null,
  // The CloudEvents SDK for Python writes datacontenttype there (cloudevents 1, kafka.to_structured).
  anyTypeMayBeStructured: true,
})

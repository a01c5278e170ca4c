import { type KafkaOptions, kafkaTransport } from '@throughline/kafka'
import type { Credentials } from './credentials.ts'
import type { Destination, SourceOptions } from './destination.ts'
import { createOutlet } from './outlet.ts'
import { made, usage } from './problem.ts'
import { type DestinationUrl, optionsOf } from './url.ts'

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

/** `kafka://host:9092,other:9092/topic`; `kafkas:` is TLS, `?sasl=SCRAM-SHA-512` the mechanism of user and password. */
export function kafkaDestination(url: DestinationUrl, credentials: Credentials): Destination {
  const options = optionsOf(url, ['sasl'])
  const { path: topic, authority, scheme, text } = url
  if (authority === '') throw usage(`${text} names no broker: expected ${scheme}://host:9092/topic`)
  if (topic === '') throw usage(`${text} names no topic: expected ${text.replace(/\/$/, '')}/topic`)
  const transport = made(() =>
    kafkaTransport({ brokers: authority, ...tls(url), ...sasl(options.get('sasl'), credentials) }),
  )
  return {
    text,
    takes: new Set(['key', 'partition', 'from'] as const),
    outlet: ({ timeoutMs, partition }) =>
      made(() =>
        createOutlet(transport, { topic, timeoutMs, ...(partition === undefined ? {} : { partition }) }),
      ),
    source: ({ from = 'latest' }) => ({
      ...transport,
      // Without a group: all partitions, and no offset of anybody moves.
      subscriber: made(() => transport.subscriber({ topics: [topic], start: from })),
      doing: `reading ${text} from ${placeText(from)}`,
    }),
  }
}

function tls({ scheme }: DestinationUrl): Pick<KafkaOptions, 'tls'> {
  return scheme === 'kafkas' ? { tls: {} } : {}
}

function sasl(wanted: string | undefined, { user, password }: Credentials): Pick<KafkaOptions, 'sasl'> {
  const mechanism = MECHANISMS.find((each) => each === (wanted ?? 'PLAIN').toUpperCase())
  if (mechanism === undefined) throw usage(`sasl is to be one of ${MECHANISMS.join(', ')}`)
  if (user === undefined && wanted === undefined) return {}
  if (user === undefined || password === undefined) {
    throw usage(
      'SASL needs a user and a password: in the URL, or THROUGHLINE_USERNAME and THROUGHLINE_PASSWORD',
    )
  }
  return { sasl: { mechanism, username: user, password } }
}

function placeText(from: NonNullable<SourceOptions['from']>): string {
  if (from instanceof Date) return from.toISOString()
  return from === 'latest' ? 'its end' : 'its beginning'
}

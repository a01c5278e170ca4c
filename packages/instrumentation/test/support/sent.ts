import { join } from 'node:path'
import { type SpanNode, tree } from '@throughline/testkit'
import type { Received } from './receiver.ts'

/** A program that a test runs in a process of its own. */
export const program = (name: string) => join(import.meta.dirname, '../programs', name)

/** What the programs send has no connection: their spans need no broker. */
export const sent = {
  name: 'send orders',
  kind: 'PRODUCER',
  trace: 1,
  parent: null,
  attributes: {
    'messaging.system': 'kafka',
    'messaging.operation.name': 'send',
    'messaging.operation.type': 'send',
    'messaging.destination.name': 'orders',
    'server.address': '127.0.0.1',
    'server.port': 9,
    'error.type': 'KafkaJSError',
  },
  status: { code: 'ERROR', message: 'The producer is disconnected' },
  events: [
    {
      name: 'exception',
      attributes: {
        'exception.type': 'KafkaJSError',
        'exception.message': 'The producer is disconnected',
      },
    },
  ],
} as const satisfies SpanNode

export const treeOf = ({ spans }: Received) => tree(spans)

import { type Command, InvalidArgumentError, Option } from 'commander'
import { exitCodes } from '../failure.ts'
import type { Finish } from '../program.ts'
import { parseDuration } from '../quantity.ts'
import type { TailOptions } from '../tail/options.ts'

const help = `
Destinations:
  kafka://host:9092,other:9092/topic   all partitions; no group is joined, so that no offset of any group moves
  mqtt://host:1883/sensors/+/reading   a topic or a filter, in a session of its own that ends with it
  amqp://host/vhost?exchange=orders&routingKey=order.*   by a queue of its own that ends with it (default: all keys)
  amqp://host/vhost?stream=orders      a stream, by offset; a queue is refused: its consumers would miss what is shown
  http://127.0.0.1:8080/path           listens there and answers 204: what senders post, before there is a service
User, password and TLS as for "throughline send".

Nothing is taken from anybody: what is shown is still delivered to all that would have had it. No span is made of it.

A message has its time, where it stands, its key, and how long it was on the way where its sender says so; then what its
event says, the context of its hop (traceparent, tracestate, baggage) and of its origin, what is wrong with them, the
other headers, and its data: JSON indented, text, or a hex dump. Characters that a terminal would obey are escaped.

--filter name=pattern shows what matches: an attribute of the event, or key, traceid, destination; * stands for any text.

--json prints a line a message, with the data whole:
  {"time","place","destination","partition","offset","key","queueMs","trace":{"traceId","spanId","sampled","random"},
   "tracestate","baggage","contextProblems","origin","mode","event","invalidEvent","headers","contentType","properties",
   "attributes","data" or "data_base64"}, without what the message does not have

Examples:
  throughline tail kafka://localhost:9092/orders
  throughline tail kafka://localhost:9092/orders --from 10m --filter type=com.example.order.* --limit 5
  throughline tail 'mqtt://localhost:1883/sensors/#' --json | jq .event.id
  throughline tail 'amqp://localhost/?exchange=orders&routingKey=order.*'
  throughline tail http://127.0.0.1:8080/events

Exit codes: 0 it was told to end, by Ctrl-C or --limit; 1 a broker away, or a destination that it does not have; 2 this
cannot be tailed
`

/** `throughline tail DESTINATION` */
export function addTail(root: Command, finish: Finish): void {
  root
    .command('tail')
    .description('show the messages of a destination as they come, their context decoded; reads only')
    .argument('<destination>', 'URL of a topic or address; see below')
    .option(
      '--from <where>',
      'where a topic or stream begins: latest, earliest, a time (RFC 3339), or so long ago (10m, 2h)',
      parseFrom,
    )
    .option('--filter <name=pattern>', 'show only these; may be repeated, and all have to match', collect)
    .option('--limit <n>', 'end after so many were shown', parseWhole)
    .option('--full', 'show data whole')
    .addOption(
      new Option('--cut <n>', 'show so many characters of data, or bytes of a dump')
        .argParser(parseWhole)
        .default(2000),
    )
    .option('--json', 'print a line of JSON for each message')
    .addHelpText('after', help)
    .action(async (url: string, options: TailOptions) => {
      const { tail } = await import('../tail/run.ts')
      await tail(url, options)
      finish(exitCodes.ok)
    })
}

function parseFrom(text: string): NonNullable<TailOptions['from']> {
  if (text === 'earliest' || text === 'latest') return text
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : agoOf(text)
  if (Number.isNaN(time.getTime())) {
    throw new InvalidArgumentError('Expected latest, earliest, a time such as 2026-07-28T12:00:00Z, or 10m.')
  }
  return time
}

function agoOf(text: string): Date {
  try {
    return new Date(Date.now() - parseDuration(text))
  } catch {
    return new Date(Number.NaN)
  }
}

function collect(text: string, texts: readonly string[] = []): readonly string[] {
  return [...texts, text]
}

function parseWhole(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number from 1.')
}

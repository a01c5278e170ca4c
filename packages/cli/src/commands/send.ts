import { type Command, InvalidArgumentError, Option } from 'commander'
import { exitCodes } from '../failure.ts'
import type { Finish } from '../program.ts'
import { parseDuration } from '../quantity.ts'
import type { SendOptions } from '../send/options.ts'

const help = `
Destinations:
  kafka://host:9092,other:9092/topic     kafkas: for TLS; ?sasl=SCRAM-SHA-512 with a user (default PLAIN)
  mqtt://host:1883/sensors/1/reading     mqtts: for TLS; ws://host/mqtt?topic=sensors/1/reading over WebSocket;
                                         ?protocol=3.1.1&envelope for brokers of that version
  amqp://host/vhost?exchange=orders&routingKey=order.created, or ?queue=orders; amqps: for TLS
  http://host:8080/path                  https:
User and password stand before the host, or in THROUGHLINE_USERNAME and THROUGHLINE_PASSWORD, which nobody sees who lists
processes. Authorities beyond the machine's own: NODE_EXTRA_CA_CERTS=file.pem.

It prints where the message stands after the broker has confirmed it, its id, and its trace. With an OTLP endpoint the
send is a span, exported as that of service throughline-send; without one the message carries the context that is given,
or none.

Data without --data is standard input where that is a pipe or a file. Without --content-type its type is that of the
file's name, else application/json, text/plain or application/octet-stream by what it is.

--json prints one line a message: {"id","place","destination","partition","offset","statusCode","traceId","traceparent"},
without what the transport does not say.

Examples:
  throughline send kafka://localhost:9092/orders --type com.example.order.created --source /orders --data '{"sku":"A-1"}'
  throughline send mqtt://localhost:1883/sensors/1/reading --raw --data 21.5 --retain
  throughline send 'amqp://localhost/?exchange=orders&routingKey=order.created' --type com.example.order.created
  throughline send http://127.0.0.1:8081/events --type com.example.photo --data @photo.jpg --otlp
  throughline send kafka://localhost:9092/orders --file orders.ndjson --key 4711

Exit codes: 0 all were confirmed; 1 one was not, and what came after it was not sent; 2 nothing could be sent as asked
`

const MAX_COUNT = 1_000_000

/** `throughline send DESTINATION` */
export function addSend(root: Command, finish: Finish): void {
  root
    .command('send')
    .description('send an event or a message, and say where it stands and in which trace')
    .argument('<destination>', 'URL of a topic or address; see below')
    .optionsGroup('The event:')
    .option('--type <text>', 'its type; required, unless every line of --file has one, or --raw')
    .option('--source <uri>', 'its source (default: /throughline/send)')
    .option('--id <text>', 'its id (default: a random UUID); with --count, -1, -2 … are appended')
    .option('--subject <text>', 'its subject')
    .option('--time <time>', 'when it happened: RFC 3339, or now (default: no time)')
    .option('--attribute <name=value>', 'any other attribute; may be repeated', parseAttribute)
    .optionsGroup('What is sent:')
    .option('--data <text>', 'the data; @file for that of a file, - for standard input')
    .option('--content-type <type>', 'media type of the data (default: guessed)')
    .option(
      '--file <file>',
      'many: an event in JSON a line, - for standard input; options fill in what a line lacks',
    )
    .option('--count <n>', 'send it so many times', parseCount, 1)
    .addOption(
      new Option('--mode <mode>', 'how the event is laid into the message').choices(['binary', 'structured']),
    )
    .option('--raw', 'a message that is no event: the data is its body; with --file, a message a line')
    .option('--header <name=value>', 'a header of the message; may be repeated', parseHeader)
    .option('--key <text>', 'key of the Kafka record')
    .option('--partition <n>', 'partition of the Kafka topic', parsePartition)
    .addOption(new Option('--qos <n>', 'quality of service over MQTT (default: 1)').choices(['0', '1', '2']))
    .option('--retain', 'the MQTT broker keeps it for later subscribers')
    .optionsGroup('Its trace:')
    .option('--traceparent <text>', 'the context that it continues (W3C Trace Context)')
    .option('--tracestate <text>', 'the state that goes with it')
    .option('--baggage <text>', 'baggage that it carries (W3C Baggage)')
    .option(
      '--otlp [url]',
      'export its span there (default: OTEL_EXPORTER_OTLP_ENDPOINT; without a URL: http://127.0.0.1:4318)',
      parseEndpoint,
    )
    .addOption(
      new Option('--explorer <url>', 'asked whether it has the journey, for a hint')
        .default('http://127.0.0.1:4319')
        .env('THROUGHLINE_EXPLORER'),
    )
    .optionsGroup('Options:')
    .addOption(
      new Option('--timeout <duration>', 'how long a confirmation is waited for')
        .argParser(parseDuration)
        .default(10_000, '10s'),
    )
    .option('--json', 'print a line of JSON for each message')
    .addHelpText('after', help)
    .action(async (url: string, options: SendOptions) => {
      const { send } = await import('../send/run.ts')
      await send(url, options)
      finish(exitCodes.ok)
    })
}

/** The URL may be left out, so what stands behind the option is taken for it. */
function parseEndpoint(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text
  throw new InvalidArgumentError('Expected http://host:4318; without a URL, --otlp stands last.')
}

/** `name=value`; of a name that comes twice the last one counts. */
function parseAttribute(
  text: string,
  attributes: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const [name, value] = pairOf(text)
  return { ...attributes, [name]: value }
}

function parseHeader(text: string, headers: SendOptions['header'] = []): SendOptions['header'] {
  return [...headers, pairOf(text)]
}

function pairOf(text: string): [name: string, value: string] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('Expected name=value.')
  return [text.slice(0, equals), text.slice(equals + 1)]
}

function parseCount(text: string): number {
  const count = wholeNumber(text)
  if (count === undefined || count < 1 || count > MAX_COUNT)
    throw new InvalidArgumentError(`Expected a whole number from 1 to ${MAX_COUNT}.`)
  return count
}

function parsePartition(text: string): number {
  const partition = wholeNumber(text)
  if (partition === undefined) throw new InvalidArgumentError('Expected a whole number from 0.')
  return partition
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

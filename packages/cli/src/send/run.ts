import { createReadStream } from 'node:fs'
import { fetchJourney } from '../client.ts'
import { destinationOf } from '../destination/destination.ts'
import type { Outlet, Sent } from '../destination/outlet.ts'
import { startTelemetry } from '../telemetry.ts'
import { MAX_DATA_BYTES, readData, unreadable } from './data.ts'
import { linesOf } from './lines.ts'
import { fromLines, type Outgoing, repeated, type Template } from './messages.ts'
import type { SendOptions } from './options.ts'
import { sentJson, sentText } from './report.ts'
import { sendEach } from './send.ts'
import { outletOptions, templateOf, usage } from './template.ts'

const DEFAULT_OTLP = 'http://127.0.0.1:4318'
/** An explorer that is asked for a hint alone is not waited for. */
const HINT_TIMEOUT_MS = 2000

/** Sends what the options say, and prints a line for each message that was confirmed. Throws CommandError, or the error of a message. */
export async function send(url: string, options: SendOptions): Promise<void> {
  const destination = await destinationOf(url)
  const template = templateOf(options)
  const outlet = destination.outlet(outletOptions(options, destination))
  const telemetry = startTelemetry('throughline-send', options.otlp === true ? DEFAULT_OTLP : options.otlp)
  let last: Sent | undefined
  try {
    await sendEach(outlet, await messagesOf(template, outlet, options), (sent) => {
      last = sent
      const line = options.json ? sentJson(sent, outlet.destination) : sentText(sent, outlet.destination)
      process.stdout.write(`${line}\n`)
    })
  } finally {
    await outlet.close()
    await telemetry?.shutdown()
  }
  const id = last?.message.event?.id ?? last?.traceparent?.split('-')[1]
  if (telemetry !== null && id !== undefined && options.count === 1 && options.file === undefined) {
    await hint(options.explorer, id)
  }
}

/** Where the explorer has it by now, how to see it. */
async function hint(url: string, id: string): Promise<void> {
  const journey = await fetchJourney({ url, timeoutMs: HINT_TIMEOUT_MS }, id).catch(() => null)
  if (journey !== null) process.stderr.write(`its journey: throughline journey ${id}\n`)
}

async function messagesOf(
  template: Template,
  { binding }: Outlet,
  { data, file, count }: SendOptions,
): Promise<Iterable<Outgoing> | AsyncIterable<Outgoing>> {
  if (file === undefined) return repeated(template, binding, await readData(data), count)
  if (data !== undefined || count > 1) throw usage('--file goes with neither --data nor --count')
  return fromLines(template, binding, linesOf(inputOf(file), MAX_DATA_BYTES), file === '-' ? 'stdin' : file)
}

async function* inputOf(file: string): AsyncGenerator<Buffer> {
  try {
    yield* file === '-' ? process.stdin : createReadStream(file)
  } catch (error) {
    throw unreadable(file, error)
  }
}

import type { Context } from '@opentelemetry/api'
import type { Delivery, PublishResult } from '../contract.ts'
import { errorMessage, errorType } from '../errors.ts'
import type { Header, Message } from '../message.ts'
import { DEAD_LETTER_HEADERS } from '../tracing/headers.ts'
import type { ProcessSpan } from '../tracing/process.ts'
import { withSendTelemetry } from '../tracing/publisher.ts'
import type { ConsumeOptions } from './options.ts'
import { positionText } from './position.ts'

const MAX_REASON = 512
const NAMES: ReadonlySet<string> = new Set(Object.values(DEAD_LETTER_HEADERS))

/** Publishes a delivery that was given up, as it came, with the reason, route, attempts and position as headers. */
export async function publishDeadLetter(
  { publisher, route }: NonNullable<ConsumeOptions['deadLetter']>,
  delivery: Delivery,
  reason: Error,
  attempts: number,
  failed: ProcessSpan,
): Promise<PublishResult> {
  const message = deadLetterOf(delivery, reason, attempts, route, failed)
  const [result] = await publisher.publishMessages([message])
  return result ?? { ok: true }
}

function deadLetterOf(
  { message, position }: Delivery,
  reason: Error,
  attempts: number,
  route: string | undefined,
  failed: ProcessSpan,
): Message {
  // The destination is the dead letter's own; everything else is as it came.
  const { destination: _, context: __, headers, ...rest } = message
  const facts: Header[] = [
    [DEAD_LETTER_HEADERS.reason, oneLine(errorMessage(reason)).slice(0, MAX_REASON)],
    [DEAD_LETTER_HEADERS.code, errorType(reason)],
    [DEAD_LETTER_HEADERS.attempts, String(attempts)],
    [DEAD_LETTER_HEADERS.source, positionText(position)],
  ]
  if (route !== undefined) facts.push([DEAD_LETTER_HEADERS.route, route])
  return {
    ...rest,
    headers: [...headers.filter(([name]) => !NAMES.has(name.toLowerCase())), ...facts],
    context: linkedBack(failed, reason),
  }
}

/** Header values must not hold line breaks: some transports refuse them. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ')
}

function linkedBack({ span, context }: ProcessSpan, reason: Error): Context {
  return withSendTelemetry(context, {
    links: [{ context: span.spanContext(), attributes: { dead_letter: true } }],
    attributes: { 'throughline.dead_letter': true, 'throughline.dead_letter.reason': errorType(reason) },
  })
}

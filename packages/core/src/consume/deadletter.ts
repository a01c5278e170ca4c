import type { Context } from '@opentelemetry/api'
import type { Delivery, PublishResult } from '../contract.ts'
import { errorMessage, errorType } from '../errors.ts'
import type { CloudEvent } from '../event.ts'
import type { Header, Message } from '../message.ts'
import { DEAD_LETTER_HEADERS, OWN_HEADERS } from '../tracing/headers.ts'
import type { ProcessSpan } from '../tracing/process.ts'
import { withSendTelemetry } from '../tracing/send.ts'
import type { ConsumeOptions } from './options.ts'
import { positionText } from './position.ts'

const MAX_REASON = 512
/** Meant for the server that was called, and for nobody who is sent, or reads, its dead letters. */
const CREDENTIALS: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
])

/** A delivery that was given up. */
export interface GivenUp {
  readonly delivery: Delivery
  /** Undefined where it is no valid event, or raw. */
  readonly event: CloudEvent | undefined
  readonly reason: Error
  readonly attempts: number
  /** The last attempt. */
  readonly failed: ProcessSpan
}

/** Publishes a delivery that was given up, as it came but for credentials, with the reason, route, attempts and position as headers. */
export async function publishDeadLetter(
  { publisher, route }: NonNullable<ConsumeOptions['deadLetter']>,
  givenUp: GivenUp,
): Promise<PublishResult> {
  const [result] = await publisher.publishMessages([deadLetterOf(givenUp, route)])
  return result ?? { ok: true }
}

function deadLetterOf(
  { delivery, event, reason, attempts, failed }: GivenUp,
  route: string | undefined,
): Message {
  const { message, position } = delivery
  // The destination is the dead letter's own.
  const { destination: _, headers, ...rest } = message
  const facts: Header[] = [
    [DEAD_LETTER_HEADERS.reason, oneLine(errorMessage(reason)).slice(0, MAX_REASON)],
    [DEAD_LETTER_HEADERS.code, errorType(reason)],
    [DEAD_LETTER_HEADERS.attempts, String(attempts)],
    [DEAD_LETTER_HEADERS.source, positionText(position)],
  ]
  if (route !== undefined) facts.push([DEAD_LETTER_HEADERS.route, route])
  return {
    ...rest,
    ...(event === undefined ? {} : { event }),
    headers: [...headers.filter(([name]) => isPassedOn(name.toLowerCase())), ...facts],
    context: linkedBack(failed, reason),
  }
}

function isPassedOn(name: string): boolean {
  return !OWN_HEADERS.has(name) && !CREDENTIALS.has(name)
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

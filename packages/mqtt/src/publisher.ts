import {
  asUnavailable,
  createOpenCalls,
  type Message,
  noneSent,
  PermanentError,
  type Publisher,
  type PublishResult,
  prepareEach,
  type ThroughlineError,
  UnavailableError,
} from '@throughline/core'
import { type Endpoint, requireInteger } from './options.ts'
import { payloadOf } from './payload.ts'
import type { Outgoing, Sender, Sending } from './sender.ts'
import { validateTopic } from './topic.ts'

/** Which topic, and with what quality of service. */
export interface MqttPublisherOptions {
  /** Where messages go that have no `destination` of their own. */
  readonly topic: string
  /** 0: resolves when handed to the socket, may be lost; 1: when the broker has it (PUBACK); 2: PUBCOMP. Default 1. */
  readonly qos?: 0 | 1 | 2
  /** The broker keeps the last message of each topic for later subscribers. Default false. */
  readonly retain?: boolean
  /** How long a confirmation is waited for, milliseconds. Default 30 000. */
  readonly timeoutMs?: number
}

/** Publisher over a shared connection; `onClose` says that it no longer needs it. */
export function mqttPublisher(
  endpoint: Endpoint,
  sender: Sender,
  { topic, qos = 1, retain = false, timeoutMs = 30_000 }: MqttPublisherOptions,
  onClose: () => Promise<void>,
): Publisher {
  requireInteger('timeoutMs', timeoutMs, 1, 2 ** 31 - 1)
  const calls = createOpenCalls()
  let closed: Promise<void> | null = null

  function outgoing(message: Message): Outgoing {
    const { destination = topic } = message
    validateTopic(destination)
    return { topic: destination, qos, retain, ...payloadOf(message, endpoint) }
  }

  async function send(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    const prepared = prepareEach(messages, outgoing)
    try {
      await sender.open()
    } catch (error) {
      return noneSent(prepared, asUnavailable(error))
    }
    return sendAll(prepared)
  }

  function sendAll(prepared: readonly (Outgoing | ThroughlineError)[]): Promise<readonly PublishResult[]> {
    const results: PublishResult[] = new Array(prepared.length)
    const sendings: Sending[] = []
    return new Promise((resolve) => {
      let missing = prepared.length
      const timer = setTimeout(giveUp, timeoutMs)
      function answer(index: number, result: PublishResult): void {
        results[index] = result
        missing--
        if (missing > 0) return
        clearTimeout(timer)
        resolve(results)
      }
      function giveUp(): void {
        const message = `${endpoint.address} did not confirm the message within ${timeoutMs} ms`
        const error = new UnavailableError(message, { code: 'TL_TIMEOUT' })
        for (const sending of sendings) sending.abandon(error)
      }
      prepared.forEach((each, index) => {
        if (each instanceof Error) answer(index, { ok: false, error: each })
        else sendings.push(sender.send(each, (result) => answer(index, result)))
      })
    })
  }

  function publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    if (messages.length === 0) return Promise.resolve([])
    if (closed !== null)
      return Promise.resolve(noneSent(messages, new UnavailableError('the publisher is closed')))
    return calls.add(send(messages))
  }

  async function finish(): Promise<void> {
    await calls.ended()
    await onClose()
  }

  return {
    destination: topic,
    async open() {
      if (closed !== null) throw new PermanentError('the publisher is closed')
      await sender.open()
    },
    publish,
    close() {
      closed ??= finish()
      return closed
    },
  }
}

import {
  type Binding,
  createBroker,
  headerText,
  type Message,
  type Publisher,
  type PublishResult,
  type Transport,
} from '@throughline/core'

/** What became of one message. */
export interface Sent {
  readonly message: Message
  readonly result: PublishResult
  /** As it went out: that of the send span where there is an SDK, else the one that was given, if any. */
  readonly traceparent: string | null
}

/** Where messages go out, with the tracing that every publisher has. */
export interface Outlet {
  readonly binding: Binding
  /** Topic or path. */
  readonly destination: string
  /** Sends and waits for the confirmations; answers per message, in the order given. One call at a time. */
  send(messages: readonly Message[]): Promise<readonly Sent[]>
  close(): Promise<void>
}

/** Throws PermanentError when an option is wrong. */
export function createOutlet<P extends object, S extends object>(
  transport: Transport<P, S>,
  options: P,
): Outlet {
  let onWire: readonly Message[] = []
  const broker = createBroker({
    ...transport,
    publisher: (given: P) => witnessed(transport.publisher(given), (messages) => (onWire = messages)),
  })
  // A span a message and none for the call: they are sent together for speed, not because they belong together.
  const publisher = broker.publisher({ ...options, createSpans: false })

  async function send(messages: readonly Message[]): Promise<readonly Sent[]> {
    const results = await publisher.publishMessages(messages)
    return messages.flatMap((message, index) => {
      const result = results[index]
      const traceparent = headerText(onWire[index]?.headers ?? [], 'traceparent')
      return result === undefined ? [] : [{ message, result, traceparent }]
    })
  }

  return {
    binding: transport.binding,
    destination: publisher.destination,
    send,
    close: () => broker.close(),
  }
}

/** The driver's publisher, telling what it is given: what was added on the way there is nowhere else to be seen. */
function witnessed(publisher: Publisher, onMessages: (messages: readonly Message[]) => void): Publisher {
  return {
    ...publisher,
    publish(messages) {
      onMessages(messages)
      return publisher.publish(messages)
    },
  }
}

import type { Features, Transport } from '@throughline/core'

/** What a case asks of a publisher. */
export interface PublisherWishes {
  /** How long a confirmation is waited for, milliseconds. */
  readonly timeoutMs: number
  /** Messages that the suite hands over at one time at most: a transport of connections needs as many. */
  readonly inFlight: number
}

/** What a case asks of a subscriber. */
export interface SubscriberWishes {
  /** Unsettled deliveries at which it stops reading. */
  readonly window: number
  /**
   * Given where several share the destination's messages: subscribers of different members get different messages.
   * Without it, and for one member, a subscriber made after another was closed is the same consumer coming back.
   */
  readonly member?: string
}

/** An empty destination of its own, and how to reach it. `P` and `S` are the transport's options. */
export interface Place<P extends object, S extends object> {
  readonly transport: Transport<P, S>
  /** Options of a publisher to this place. */
  publisher(wishes: PublisherWishes): P
  /** Options of a subscriber of this place. */
  subscriber(wishes: SubscriberWishes): S
}

/** Breaks the network between the transports and their broker: a `TcpProxy` is one. */
export interface Network {
  /** Resets every open connection; new ones are accepted. */
  cut(): void
  /** Unreachable until `restore()`. */
  refuse(): void | Promise<void>
  /** Takes connections and bytes, and answers nothing until `restore()`. */
  stall(): void
  /** Ends `refuse()` and `stall()`. */
  restore(): void | Promise<void>
}

/** What the suite drives a transport by: made once, before its first case, and disposed of after the last. */
export interface Harness<P extends object, S extends object> extends AsyncDisposable {
  /** A new place for each case; `member`s of its subscribers are given only where `shared`. */
  place(wishes: { readonly shared: boolean }): Promise<Place<P, S>>
  /** Between all places and their broker. */
  readonly network?: Network
  /** Ends the broker in good order and starts it again with its data. Resolves when it answers. */
  restart?(): Promise<void>
}

/** What a harness may lack. */
export type Capability = 'network' | 'restart'

/** What a transport's author gives to be held to the contracts. */
export interface Conformance<P extends object, S extends object> {
  /** Stands in front of the titles: `Kafka`. */
  readonly name: string
  /** `transport.features`: cases that they rule out are reported as such. Known before anything is connected. */
  readonly features: Features
  /** Starts what the transport needs; called once. */
  setUp(): Promise<Harness<P, S>>
  /** What the harness has not, and why, in words for the report: `{ restart: 'it has no broker' }`. */
  readonly without?: Readonly<Partial<Record<Capability, string>>>
  /** Messages of the long case. Default 100 000. */
  readonly messages?: number
  /** How long a case waits for what has to come until it fails, milliseconds. Default 45 000. */
  readonly patienceMs?: number
}

import type { ContentMode } from '@throughline/core'

/** What the command line of `send` says, by its options' names. */
export interface SendOptions {
  readonly type?: string
  readonly source?: string
  readonly id?: string
  readonly subject?: string
  readonly time?: string
  readonly attribute?: Readonly<Record<string, string>>
  readonly data?: string
  readonly contentType?: string
  readonly file?: string
  readonly count: number
  readonly mode?: ContentMode
  readonly raw?: true
  readonly header?: readonly (readonly [name: string, value: string])[]
  readonly key?: string
  readonly partition?: number
  readonly qos?: '0' | '1' | '2'
  readonly retain?: true
  readonly traceparent?: string
  readonly tracestate?: string
  readonly baggage?: string
  readonly otlp?: string | true
  readonly explorer: string
  readonly timeout: number
  readonly json?: true
}

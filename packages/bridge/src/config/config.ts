import type { z } from 'zod'
import type { Template } from '../template.ts'
import type { connectionSchemas } from './connections.ts'
import type { deadLetterSchemas, sourceSchemas, targetSchemas } from './ends.ts'
import type { Address } from './field.ts'
import type { Problem } from './problem.ts'

type OneOf<Schemas extends Record<string, z.ZodType>> = z.output<Schemas[keyof Schemas]>

/** One of `connections`, by its transport, with its defaults filled in. */
export type ConnectionConfig = OneOf<typeof connectionSchemas>
/** `from`, with the transport that its connection has. */
export type SourceConfig = OneOf<typeof sourceSchemas>
/** `to`. */
export type TargetConfig = OneOf<typeof targetSchemas>
export type DeadLetterConfig = OneOf<typeof deadLetterSchemas>

/** Where a target's events go. */
export function destinationOf(to: TargetConfig): Template {
  if (to.transport === 'http') return to.url
  return to.transport === 'rabbitmq' ? routeOf(to) : to.topic
}

/** `exchange:routing key`, or the one of them that is not empty. */
function routeOf({ exchange, routingKey }: TargetConfig & { transport: 'rabbitmq' }): Template {
  if (routingKey === undefined) return { source: exchange, parts: [exchange] }
  if (exchange === '') return routingKey
  const { source, parts } = routingKey
  return { source: `${exchange}:${source}`, parts: [`${exchange}:`, ...parts] }
}

/** One of `routes`, checked against its connections, with its defaults filled in. */
export interface RouteConfig {
  readonly name: string
  readonly from: SourceConfig
  readonly to: TargetConfig
  readonly deadLetter?: DeadLetterConfig
  /** What a source does with what is given up and was not published as a dead letter; `broker` where it was asked for. */
  readonly rejected: 'drop' | 'broker'
  readonly retry: {
    readonly attempts: number
    readonly backoff: { readonly minMs: number; readonly maxMs: number }
  }
  readonly onExhausted: 'stop' | 'drop'
  readonly trace: {
    readonly trust: 'continue' | 'link' | 'ignore'
    readonly linkage: 'parent' | 'link'
    readonly propagate?: 'all' | 'trace' | 'none'
  }
}

/** A configuration that has been read and checked. */
export interface Config {
  /** The file as it was named. */
  readonly file: string
  readonly connections: ReadonlyMap<string, ConnectionConfig>
  readonly routes: readonly RouteConfig[]
  readonly admin?: { readonly listen: Address }
  /** What is allowed and will not do what one may think. */
  readonly warnings: readonly Problem[]
  /** Values that must not be shown anywhere. */
  readonly secrets: readonly string[]
}

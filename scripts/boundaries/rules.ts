/** What the modules of one package may import beside their own package and what its package.json declares. */
export interface Rule {
  /** Packages of this workspace that its sources may import, as `name` or `name/subpath`. */
  workspace: readonly string[]
  /** Packages of this workspace of which it may import types alone. */
  types?: readonly string[]
  /** Packages of this workspace that its tests alone may import. */
  tests?: readonly string[]
  /** The only packages of others that it may import; without it, all that its package.json declares. */
  only?: readonly string[]
  /** Packages of others and parts of Node that it may not import, even where declared; `*` at the end stands for any rest. */
  never?: readonly string[]
  /** Packages of others that its tests use where they are installed: nothing declares them. */
  optional?: readonly string[]
  /**
   * Modules of `src` that its services in `plain` may share with those in `src`. Neither these nor what is in `plain` may
   * import anything of this workspace.
   */
  plain?: readonly string[]
}

const network = [
  'node:net',
  'node:http',
  'node:https',
  'node:http2',
  'node:tls',
  'node:dgram',
  'node:dns',
  'node:dns/*',
]
const everyTransport = ['http', 'kafka', 'mqtt', 'rabbitmq']

/** A transport moves messages; only core's decorators trace. */
const transport: Rule = { workspace: ['core'], never: ['@opentelemetry/*'] }

/** Dependencies point downwards: each folder names what lies below it. */
export const rules: Readonly<Record<string, Rule>> = {
  'packages/core': { workspace: [], only: ['@opentelemetry/api'], never: [...network, 'node:child_process'] },
  // The API alone, to hide its requests from instrumentations that would add a second traceparent.
  'packages/http': { workspace: ['core'], never: ['@opentelemetry/sdk*', '@opentelemetry/instrumentation*'] },
  'packages/kafka': transport,
  'packages/mqtt': transport,
  'packages/rabbitmq': transport,
  // Of the clients that it wraps it knows no more than their shapes: the application brings them.
  'packages/instrumentation': {
    workspace: ['core', 'core/tracing'],
    tests: ['explorer', 'mqtt'],
    optional: ['@confluentinc/kafka-javascript'],
  },
  'packages/testkit': { workspace: ['core'] },
  'packages/bridge': { workspace: ['core', ...everyTransport], never: ['@opentelemetry/sdk*'] },
  'packages/explorer': { workspace: [], never: ['@opentelemetry/*'] },
  'packages/explorer-ui': { workspace: [], types: ['explorer/api'], tests: ['explorer'], never: ['node:*'] },
  'packages/cli': { workspace: ['core', ...everyTransport, 'bridge', 'explorer'] },
  'examples/telemetry': { workspace: [] },
  'examples/orders': {
    workspace: ['core', 'kafka', 'rabbitmq', 'example-telemetry'],
    plain: ['src/events.ts', 'src/store.ts'],
  },
  'examples/sensors': {
    workspace: ['core', ...everyTransport, 'bridge', 'explorer', 'example-telemetry'],
    plain: ['src/readings.ts'],
  },
}

/** What tests may import beyond the sources' rule. */
export const testsMayAlso: readonly string[] = ['core', 'testkit']

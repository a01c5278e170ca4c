/** Clients that dd-trace traces, with its own name for each. */
const DATADOG_NAMES: Readonly<Record<string, string>> = {
  '@confluentinc/kafka-javascript': 'confluentinc-kafka-javascript',
  amqplib: 'amqplib',
  kafkajs: 'kafkajs',
}

/**
 * Asks whether dd-trace traces a client in this process. It wraps nothing that could be seen from outside: its methods publish
 * to diagnostics channels. It is there once `_ddtrace` is a global, and it traces from its `init` on, but for what its
 * variables name; those are read once.
 */
export function datadogTraces(client: string, environment: NodeJS.ProcessEnv): () => boolean {
  const name = DATADOG_NAMES[client]
  let isDisabled: boolean | undefined
  return () => {
    if (name === undefined || !('_ddtrace' in globalThis)) return false
    isDisabled ??= isDisabledBy(environment, client, name)
    return !isDisabled && hasBegun(Reflect.get(globalThis, '_ddtrace'))
  }
}

/** An object that says nothing of it is taken for a version that does not. */
function hasBegun(tracer: unknown): boolean {
  if (typeof tracer !== 'object' || tracer === null) return false
  if ('_tracingInitialized' in tracer) return tracer._tracingInitialized === true
  return !('_initialized' in tracer) || tracer._initialized === true
}

function isDisabledBy(environment: NodeJS.ProcessEnv, client: string, name: string): boolean {
  const { DD_TRACE_DISABLED_PLUGINS: plugins = '', DD_TRACE_DISABLED_INSTRUMENTATIONS: modules = '' } =
    environment
  const enabled = environment[`DD_TRACE_${name.toUpperCase().replaceAll('-', '_')}_ENABLED`] ?? ''
  return (
    plugins.split(',').some((plugin) => plugin.trim() === name) ||
    modules.split(',').includes(client) ||
    ['false', '0'].includes(enabled.toLowerCase())
  )
}

/** What the command's exit codes mean. A signal that forces the end gives 128 + its number. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, notFound: 3 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** Something that the command itself refuses. */
export class CommandError extends Error {
  readonly code: string
  readonly exitCode: ExitCode
  constructor(code: string, message: string, exitCode: ExitCode, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.exitCode = exitCode
  }
}

/** Wrong from the start, whatever the world is like: to be mended by the user before trying again. */
const usageCodes: ReadonlySet<string> = new Set([
  'TL_CONFIG_INVALID',
  'TL_BAD_ADDRESS',
  'TL_TOKEN_REQUIRED',
  'TL_ROUTE_UNKNOWN',
  'TL_USAGE',
])

/** The exit code that an error ends the command with. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode
  return usageCodes.has(codeOf(error) ?? '') ? exitCodes.usage : exitCodes.failed
}

/**
 * What is printed for an error: its message, with the stable code in brackets behind it. The stack is for whoever
 * mends Throughline, so it comes only with `THROUGHLINE_DEBUG`.
 */
export function describe(error: unknown, env: NodeJS.ProcessEnv = process.env): string {
  if (!(error instanceof Error)) return `throughline: ${String(error)}`
  if (env.THROUGHLINE_DEBUG) return `throughline: ${error.stack ?? error.message}${causeOf(error)}`
  const code = codeOf(error)
  const lines = error.message.split('\n')
  if (code?.startsWith('TL_') && lines.length > 1) {
    return `throughline: ${lines.length} problems (${code})\n${error.message}`
  }
  if (code?.startsWith('TL_')) return `throughline: ${error.message} (${code})`
  const message = error.message || code || error.name
  return `throughline: ${message}\n  THROUGHLINE_DEBUG=1 shows where this came from`
}

function causeOf({ cause }: Error): string {
  return cause instanceof Error ? `\n  caused by ${cause.stack ?? cause.message}` : ''
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

import { type DiagLogger, DiagLogLevel, diag } from '@opentelemetry/api'
import { registered } from './api-version.ts'

/**
 * Runs with a logger of OpenTelemetry's in place, unless the application has set one, which then hears of it. It is taken
 * away again: an SDK that sets its own would complain of it.
 */
export function withLogger(logger: DiagLogger, logLevel: DiagLogLevel, run: () => void): void {
  if (hasLogger()) {
    run()
    return
  }
  diag.setLogger(logger, { logLevel, suppressOverrideMessage: true })
  try {
    run()
  } finally {
    diag.disable()
  }
}

/** The level of `OTEL_LOG_LEVEL`; undefined where it says none. */
export function logLevelOf(text: string | undefined): DiagLogLevel | undefined {
  const level: unknown = Reflect.get(DiagLogLevel, text?.trim().toUpperCase() ?? '')
  return typeof level === 'number' ? level : undefined
}

/** A logger that keeps what is wrong. */
export function keepingLogger(kept: string[]): DiagLogger {
  const keep = (...parts: unknown[]) => void kept.push(parts.map(String).join(' '))
  const ignore = () => undefined
  return { error: keep, warn: keep, info: ignore, debug: ignore, verbose: ignore }
}

/** The API can be asked for everything that is registered but this. */
function hasLogger(): boolean {
  return 'diag' in registered()
}

/** Every error of Throughline: `code` is stable and may be matched on, `message` is for people and may change. */
export class ThroughlineError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/**
 * The message cannot succeed, however often it is tried: invalid, too large, refused by its receiver.
 * A handler throws it to skip its remaining attempts.
 */
export class PermanentError extends ThroughlineError {
  constructor(message: string, options?: ErrorOptions & { code?: string }) {
    super(options?.code ?? 'TL_PERMANENT', message, options)
  }
}

/** A broker or server cannot be reached or is overloaded. It spends no attempt: the same is tried again until it returns. */
export class UnavailableError extends ThroughlineError {
  /** How long the other side asked to wait (`Retry-After`), in milliseconds. */
  readonly retryAfterMs: number | undefined
  constructor(message: string, options?: ErrorOptions & { code?: string; retryAfterMs?: number }) {
    super(options?.code ?? 'TL_UNAVAILABLE', message, options)
    this.retryAfterMs = options?.retryAfterMs
  }
}

/** A message is not a valid CloudEvent. Names the attribute and the section of the specification that it breaks. */
export class InvalidEventError extends PermanentError {
  /** The attribute or member at fault: `id`, `specversion`, `data`, an extension's name, or `body` when nothing could be read. */
  readonly attribute: string
  /** Section of CloudEvents 1.0.2 or of the binding, e.g. `CloudEvents 1.0.2 §3.1 id`. */
  readonly section: string
  constructor(attribute: string, section: string, message: string, options?: ErrorOptions) {
    super(`${attribute}: ${message} (${section})`, { ...options, code: 'TL_EVENT_INVALID' })
    this.attribute = attribute
    this.section = section
  }
}

/** The message's content type is none that carries a CloudEvent this reader understands. */
export class UnsupportedContentTypeError extends PermanentError {
  readonly contentType: string
  constructor(contentType: string, expected: string) {
    super(
      `content type ${JSON.stringify(contentType.slice(0, 128))} is not supported; expected ${expected}`,
      {
        code: 'TL_CONTENT_TYPE_UNSUPPORTED',
      },
    )
    this.contentType = contentType
  }
}

/** A body is over the configured limit. */
export class TooLargeError extends PermanentError {
  constructor(limitBytes: number, sizeBytes?: number) {
    super(
      `body ${sizeBytes === undefined ? '' : `of ${sizeBytes} bytes `}is over the limit of ${limitBytes} bytes`,
      {
        code: 'TL_TOO_LARGE',
      },
    )
  }
}

/**
 * A batch handler throws it to say that some messages failed and the others are done: the index of each in the batch
 * that it was given, and why. A PermanentError gives its message up at once, an UnavailableError spends no attempt.
 */
export class BatchError extends ThroughlineError {
  readonly failures: ReadonlyMap<number, Error>
  constructor(failures: ReadonlyMap<number, Error>) {
    const [first] = failures.values()
    super('TL_BATCH', `${failures.size} of the batch failed: ${errorMessage(first)}`)
    this.failures = failures
  }
}

/** A subscription stopped because a delivery's attempts were spent and nothing was configured to take it. Nothing was lost: it stays at its position. */
export class StoppedError extends ThroughlineError {
  /** Where the delivery stands: `sensor-readings[2]@17`. */
  readonly position: string
  constructor(position: string, cause: unknown) {
    super('TL_STOPPED', `stopped at ${position}: ${errorMessage(cause)}`, { cause })
    this.position = position
  }
}

/** An error's text, whatever was thrown. */
export function errorMessage(error: unknown): string {
  if (error instanceof AggregateError && error.message === '')
    return error.errors.map(errorMessage).join('; ')
  return error instanceof Error ? error.message : String(error)
}

/** What was thrown as one of ours; anything else is a fault that trying again would not mend. */
export function asFault(error: unknown): ThroughlineError {
  if (error instanceof ThroughlineError) return error
  return new PermanentError(errorMessage(error), { cause: error })
}

/**
 * What was thrown as something that can be tried again, its code kept: no message is to blame for a broker that refuses
 * the client, and all of them can be sent when that is mended.
 */
export function asUnavailable(error: unknown): UnavailableError {
  if (error instanceof UnavailableError) return error
  const code = error instanceof ThroughlineError ? { code: error.code } : {}
  return new UnavailableError(errorMessage(error), { cause: error, ...code })
}

/** The low-cardinality value of `error.type`: a stable code, else the class name (OpenTelemetry, `error.type`). */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return '_OTHER'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

import { PermanentError, UnavailableError } from '@throughline/core'

/** The server refused the message for good: a 3xx, or a 4xx that trying again cannot mend. */
export class HttpRefusedError extends PermanentError {
  readonly statusCode: number
  constructor(statusCode: number, message: string) {
    super(message, { code: 'TL_HTTP_REFUSED' })
    this.statusCode = statusCode
  }
}

/** The server asks to try again: 408, 425, 429, 5xx. `retryAfterMs` is its `Retry-After`. */
export class HttpUnavailableError extends UnavailableError {
  readonly statusCode: number
  constructor(statusCode: number, message: string, retryAfterMs: number | undefined) {
    super(message, { code: 'TL_HTTP_UNAVAILABLE', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
    this.statusCode = statusCode
  }
}

/** A batch has more events than are taken in one request. */
export class TooManyEventsError extends PermanentError {
  constructor(count: number, limit: number) {
    super(`a batch of ${count} events is over the limit of ${limit} events`, { code: 'TL_TOO_LARGE' })
  }
}

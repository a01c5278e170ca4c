import { errorMessage, PermanentError, type ThroughlineError, UnavailableError } from '@throughline/core'

/** `code` of an error about an exchange or queue that the broker does not have. */
export const NOT_FOUND_CODE = 'TL_RABBITMQ_NOT_FOUND'
/** `code` of the error of a message that no queue takes. */
export const UNROUTABLE_CODE = 'TL_RABBITMQ_UNROUTABLE'
/** `code` of the error while the broker takes no messages: an alarm of memory or disk. */
export const BLOCKED_CODE = 'TL_RABBITMQ_BLOCKED'
/** `code` of the error when the broker took a subscription away: its queue was deleted. */
export const CANCELLED_CODE = 'TL_RABBITMQ_CANCELLED'

/** The driver's names of AMQP's reply codes (§1.2) after which the same would be refused again. */
const REFUSED: Readonly<Record<string, string>> = {
  ACCESS_REFUSED: 'TL_RABBITMQ_REFUSED',
  COMMAND_INVALID: 'TL_RABBITMQ_REFUSED',
  INVALID_PATH: 'TL_RABBITMQ_REFUSED',
  NOT_ALLOWED: 'TL_RABBITMQ_REFUSED',
  NOT_FOUND: NOT_FOUND_CODE,
  NOT_IMPLEMENTED: 'TL_RABBITMQ_REFUSED',
  PRECONDITION_FAILED: 'TL_RABBITMQ_REFUSED',
  SYNTAX_ERROR: 'TL_RABBITMQ_REFUSED',
}

/**
 * A driver's error as one of ours.
 * @param failed what could not be done, with the address: `cannot connect to amqp://localhost:5672`.
 */
export function rabbitmqError(error: unknown, failed: string): ThroughlineError {
  if (error instanceof UnavailableError || error instanceof PermanentError) return error
  const text = errorMessage(error)
  const message = `${failed}: ${text}`
  const code = REFUSED[replyCodeOf(error) ?? '']
  // Another consumer or connection has it to itself, and may give it up.
  const isTaken = /in exclusive use|exclusive access/i.test(text)
  if (code === undefined || isTaken) return new UnavailableError(message, { cause: error })
  return new PermanentError(message, { cause: error, code })
}

/** The driver's `code`: the name of an AMQP reply code, `CH_CLOSE`, `NACK`, or Node's own. */
export function replyCodeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

import { errorMessage, PermanentError, type ThroughlineError, UnavailableError } from '@throughline/core'
import type { Connection } from './options.ts'
import { AUTHENTICATION_CODE } from './sasl.ts'

/** The driver's error, read without trusting its shape. */
interface Leaf {
  readonly message: string
  /** Kafka's own name of the error: `MESSAGE_TOO_LARGE`. */
  readonly apiId: string | undefined
  /** Codes of the error and of what it is wrapped in, innermost first. */
  readonly codes: readonly string[]
}

/** The broker does not let us do this at all, whatever the message. */
const REFUSED_API_IDS: ReadonlySet<string> = new Set([
  'CLUSTER_AUTHORIZATION_FAILED',
  'FENCED_INSTANCE_ID',
  'GROUP_AUTHORIZATION_FAILED',
  'INVALID_GROUP_ID',
  'INVALID_SESSION_TIMEOUT',
  'INVALID_TOPIC_EXCEPTION',
  'TOPIC_AUTHORIZATION_FAILED',
  'UNSUPPORTED_VERSION',
])
/** The broker does not let us in. */
const LOGIN_API_IDS: ReadonlySet<string> = new Set([
  'ILLEGAL_SASL_STATE',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
])
const LOGIN_CODE = 'PLT_KFK_AUTHENTICATION'
const TOO_LARGE_API_IDS: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])
/** The broker knows the producer's numbers no longer, or other ones. */
const SEQUENCE_LOST_API_IDS: ReadonlySet<string> = new Set([
  'DUPLICATE_SEQUENCE_NUMBER',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'PRODUCER_FENCED',
  'UNKNOWN_PRODUCER_ID',
])
const UNKNOWN_TOPIC_API_IDS: ReadonlySet<string> = new Set(['UNKNOWN_TOPIC_ID', 'UNKNOWN_TOPIC_OR_PARTITION'])
/** The broker does not take these messages. */
const BAD_MESSAGE_API_IDS: ReadonlySet<string> = new Set([
  'INVALID_RECORD',
  'INVALID_REQUEST',
  'INVALID_TIMESTAMP',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
])
const REFUSED_CODES: ReadonlySet<string> = new Set([
  'PLT_KFK_UNSUPPORTED',
  'PLT_KFK_UNSUPPORTED_API',
  'PLT_KFK_UNSUPPORTED_COMPRESSION',
])
const MAX_DEPTH = 8

/** Whether any error inside a driver's error has one of Kafka's names; a response has an error a partition. */
export function hasApiId(error: unknown, ids: ReadonlySet<string>): boolean {
  return leavesOf(error).some(({ apiId }) => apiId !== undefined && ids.has(apiId))
}

/** `code` of the error of a message whose topic the cluster does not have: final for the message, not for whoever creates the topic. */
export const UNKNOWN_TOPIC_CODE = 'TL_KAFKA_TOPIC_UNKNOWN'

const REFUSED_CODE = 'TL_KAFKA_REFUSED'

/** A topic that the cluster does not have: the driver words it instead of naming it. */
export function isUnknownTopic(error: unknown): boolean {
  return (
    hasApiId(error, UNKNOWN_TOPIC_API_IDS) ||
    leavesOf(error).some(
      ({ message, codes }) => codes.includes('PLT_KFK_USER') && message.startsWith('Unknown topic'),
    )
  )
}

/**
 * A driver's error as one of ours, in a sentence that names the address.
 * @param failed what could not be done: `cannot be reached`, `the group orders could not be joined`.
 */
export function kafkaError(
  error: unknown,
  { address, login }: Pick<Connection, 'address' | 'login'>,
  failed: string,
): ThroughlineError {
  const own = ownError(error)
  if (own !== null) return own
  const leaves = leavesOf(error)
  const causes = [...new Set(leaves.map(({ message }) => message.replace(/\.$/, '')))].slice(0, 3).join('; ')
  const isLogin = leaves.some(
    ({ apiId = '', codes }) => LOGIN_API_IDS.has(apiId) || codes.includes(LOGIN_CODE),
  )
  if (isLogin) {
    const who = login === undefined ? '' : ` ${login}`
    const message = `Kafka at ${address}: ${failed}: the login${who} failed: ${causes}`
    return new PermanentError(message, { cause: error, code: AUTHENTICATION_CODE })
  }
  const message = `Kafka at ${address}: ${failed}: ${causes}`
  const refused = leaves.some(
    ({ apiId = '', codes }) => REFUSED_API_IDS.has(apiId) || codes.some((code) => REFUSED_CODES.has(code)),
  )
  if (refused) return new PermanentError(message, { cause: error, code: REFUSED_CODE })
  if (hasApiId(error, TOO_LARGE_API_IDS)) {
    return new PermanentError(message, { cause: error, code: 'TL_TOO_LARGE' })
  }
  if (hasApiId(error, BAD_MESSAGE_API_IDS)) return new PermanentError(message, { cause: error })
  return new UnavailableError(message, { cause: error })
}

/** Whether only a new producer id helps. */
export function isSequenceLost(error: unknown): boolean {
  return hasApiId(error, SEQUENCE_LOST_API_IDS)
}

/** Whether trying again cannot help. */
export function isPermanent(error: unknown): boolean {
  return kafkaError(error, { address: '', login: undefined }, '') instanceof PermanentError
}

/** Whether the broker does not let us do this at all, whatever the message. */
export function isRefusal(error: unknown): boolean {
  const { code } = kafkaError(error, { address: '', login: undefined }, '')
  return code === REFUSED_CODE || code === AUTHENTICATION_CODE
}

/** One of ours that the driver has wrapped: a token provider's. */
function ownError(error: unknown, depth = 0): UnavailableError | PermanentError | null {
  if (error instanceof UnavailableError || error instanceof PermanentError) return error
  if (depth >= MAX_DEPTH || !(error instanceof Error)) return null
  const inner = error instanceof AggregateError ? error.errors : [error.cause]
  for (const each of inner) {
    const own = ownError(each, depth + 1)
    if (own !== null) return own
  }
  return null
}

/** The innermost errors: the driver wraps a refused connection three deep. */
function leavesOf(error: unknown, depth = 0): readonly Leaf[] {
  if (depth < MAX_DEPTH && error instanceof AggregateError && error.errors.length > 0) {
    return error.errors.flatMap((each) => leavesOf(each, depth + 1))
  }
  const code = textAt(error, 'code')
  const codes = code === undefined ? [] : [code]
  const apiId = textAt(error, 'apiId')
  if (depth < MAX_DEPTH && error instanceof Error && error.cause !== undefined) {
    return leavesOf(error.cause, depth + 1).map((leaf) => ({
      ...leaf,
      apiId: leaf.apiId ?? apiId,
      codes: [...leaf.codes, ...codes],
    }))
  }
  return [{ message: errorMessage(error), apiId, codes }]
}

function textAt(error: unknown, name: string): string | undefined {
  const value = typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined
  return typeof value === 'string' ? value : undefined
}

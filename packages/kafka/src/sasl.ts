import { SASLMechanisms, type SASLOptions } from '@platformatic/kafka'
import { errorMessage, PermanentError, UnavailableError } from '@throughline/core'

/** A user and a password. Over a connection without TLS, PLAIN sends the password as it is; SCRAM never does. */
export interface PasswordCredentials {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username: string
  readonly password: string
}

/** A bearer token (RFC 7628), which the broker checks. */
export interface TokenCredentials {
  readonly mechanism: 'OAUTHBEARER'
  /**
   * The token, or what gets one: called for every connection, and again before the time that the broker gives a
   * connection (`connections.max.reauth.ms`) is up. Where it throws, the broker counts as away and is tried again.
   */
  readonly token: string | (() => string | Promise<string>)
  /** SASL extensions, such as `logicalCluster`. Default: none. */
  readonly extensions?: Readonly<Record<string, string>>
}

/** Who logs in, and how. */
export type SaslCredentials = PasswordCredentials | TokenCredentials

/** `code` of the error of a login that the broker refuses. */
export const AUTHENTICATION_CODE = 'TL_KAFKA_AUTHENTICATION'

/** The credentials as the driver takes them. Throws PermanentError where they can be none. */
export function driverCredentials(credentials: SaslCredentials): SASLOptions {
  const { mechanism } = credentials
  if (mechanism === 'OAUTHBEARER') {
    const { token, extensions } = credentials
    required('sasl.token', token)
    return {
      mechanism: SASLMechanisms.OAUTHBEARER,
      token: () => tokenOf(token),
      ...(extensions === undefined ? {} : { oauthBearerExtensions: { ...extensions } }),
      authBytesValidator: refuseTokenAnswer,
    }
  }
  const known = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'].includes(mechanism)
  if (!known) {
    throw new PermanentError(
      'Kafka: sasl.mechanism must be PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER',
    )
  }
  const { username, password } = credentials
  required('sasl.username', username)
  required('sasl.password', password)
  return { mechanism, username, password }
}

/** Who logs in, for error texts: `SCRAM-SHA-256 as alice`. Never the password or the token. */
export function loginOf(credentials: SaslCredentials): string {
  const { mechanism } = credentials
  return mechanism === 'OAUTHBEARER' ? mechanism : `${mechanism} as ${credentials.username}`
}

function required(name: string, value: unknown): void {
  if (value === undefined || value === '') throw new PermanentError(`Kafka: ${name} is missing`)
}

async function tokenOf(token: TokenCredentials['token']): Promise<string> {
  let given: unknown
  try {
    given = typeof token === 'string' ? token : await token()
  } catch (error) {
    throw new UnavailableError(`no token for Kafka: ${errorMessage(error)}`, { cause: error })
  }
  // Checked here because the driver would send `undefined` as a token; the text itself is never shown.
  if (typeof given !== 'string' || !TOKEN.test(given)) {
    throw new PermanentError('Kafka: sasl.token is no bearer token (RFC 6750 §2.1)', {
      code: AUTHENTICATION_CODE,
    })
  }
  return given
}

const TOKEN = /^[\w.~+/-]+=*$/

/**
 * A broker answers a bad token with success and a JSON text that says why (RFC 7628 §3.2.2), and waits to be asked
 * again; the driver would take the connection for a good one, which hangs up at the first request.
 */
const refuseTokenAnswer: NonNullable<SASLOptions['authBytesValidator']> = (bytes, callback) => {
  if (bytes.byteLength === 0) {
    callback(null, bytes)
    return
  }
  callback(new Error(`the token was refused: ${statusOf(bytes)}`))
}

function statusOf(bytes: Buffer): string {
  try {
    const answer: unknown = JSON.parse(bytes.toString('utf8'))
    const status = typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'status') : undefined
    return typeof status === 'string' ? status.slice(0, 64) : 'without a reason'
  } catch {
    return 'without a reason'
  }
}

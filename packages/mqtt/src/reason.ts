import { errorMessage, PermanentError, type ThroughlineError, UnavailableError } from '@throughline/core'
import { ReasonCodes } from 'mqtt'

/** MQTT 5 §2.4, and of MQTT 3.1.1 §3.2.2.3 those below 128. Of codes that mean "not now" another try can help; all others are final. */
const SESSION_TAKEN_OVER = 142
const REFUSED_FOR_NOW = new Set([3, 128, 131, 136, 137, 139, 151, 156, 157, 159])
const UNPUBLISHED_FOR_NOW = new Set([145, 151])
const UNSUBSCRIBED_FOR_NOW = new Set([128, 131, 145, 151])

/** `code` of the error when another client took the client id: two of one id evict each other for ever. */
export const TAKEN_OVER_CODE = 'TL_SESSION_TAKEN_OVER'
/** The broker closed a connection in good order without saying why. */
export const HUNG_UP_CODE = 'TL_MQTT_HUNG_UP'

/** `Quota exceeded (151)`. */
export function reasonText(code: number): string {
  const known: Readonly<Record<number, string>> = ReasonCodes
  return `${known[code] || 'unknown reason'} (${code})`
}

/** Why there is no connection: the CONNACK's reason code, or what the socket or MQTT.js threw. */
export function connectError(address: string, clientId: string, cause: unknown): ThroughlineError {
  const code = reasonCodeOf(cause)
  if (code === undefined) {
    return new UnavailableError(`cannot connect to ${address}: ${tlsAlert(cause) ?? errorMessage(cause)}`, {
      cause,
    })
  }
  const message = `${address} refused the connection of "${clientId}": ${reasonText(code)}`
  if (REFUSED_FOR_NOW.has(code)) return new UnavailableError(message, { cause })
  return new PermanentError(message, { cause, code: 'TL_MQTT_REFUSED' })
}

/** What the broker's DISCONNECT means for a connection that was up. */
export function disconnectError(address: string, clientId: string, code: number): ThroughlineError {
  if (code === SESSION_TAKEN_OVER) {
    return takenOverError(`another client connected to ${address} as "${clientId}" and took over the session`)
  }
  return new UnavailableError(`${address} ended the connection of "${clientId}": ${reasonText(code)}`)
}

/** Connecting again would evict the other client, which would evict this one, for ever. */
export function takenOverError(message: string, cause?: unknown): PermanentError {
  const advice = 'give each process a clientId or instance of its own'
  return new PermanentError(`${message}; ${advice}`, { cause, code: TAKEN_OVER_CODE })
}

/** Why a PUBLISH was not accepted: the reason code of its PUBACK, PUBREC or PUBCOMP. */
export function publishError(topic: string, cause: unknown): ThroughlineError {
  const code = reasonCodeOf(cause)
  const message = `publishing to "${topic}" failed: ${code === undefined ? errorMessage(cause) : reasonText(code)}`
  if (code === undefined || UNPUBLISHED_FOR_NOW.has(code)) return new UnavailableError(message, { cause })
  return new PermanentError(message, { cause, code: 'TL_MQTT_REFUSED' })
}

/** Why a SUBSCRIBE was not granted: its reason code in the SUBACK. MQTT 3.1.1 has one for all reasons, which brokers use for what is forbidden. */
export function subscribeError(filter: string, code: number, protocolVersion: 4 | 5 = 5): ThroughlineError {
  const message = `subscribing to "${filter}" failed: ${reasonText(code)}`
  if (protocolVersion === 5 && UNSUBSCRIBED_FOR_NOW.has(code)) return new UnavailableError(message)
  return new PermanentError(message, { code: 'TL_MQTT_REFUSED' })
}

/** What the broker said against our side of the handshake, without the place in OpenSSL's sources. */
function tlsAlert(error: unknown): string | undefined {
  const isAlert = error instanceof Error && 'reason' in error && typeof error.reason === 'string'
  return isAlert ? `the TLS handshake failed: ${error.reason}` : undefined
}

/** MQTT.js puts reason codes on its errors as numbers; Node's own codes are strings. */
function reasonCodeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined
}

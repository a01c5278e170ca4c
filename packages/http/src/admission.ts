import { TooLargeError } from '@throughline/core'
import { accessCheck } from './access.ts'
import { type Answer, problem, rejection } from './answer.ts'
import type { Incoming } from './incoming.ts'
import { type WebhookOptions, webhook } from './webhook.ts'

/** Who may send what to a path, before anything is read of it. */
export interface AdmissionOptions {
  /** Default `['POST']`. */
  readonly methods?: readonly string[]
  /** Greatest body, bytes; default 1 MiB. */
  readonly maxBodyBytes?: number
  /**
   * A token that requests have to bring (CloudEvents Webhooks 1.0 §3): in `Authorization: Bearer …`, or as `access_token`
   * in the query. Several while one takes the other's place. Others are answered 401. Default: everybody may send.
   */
  readonly accessToken?: string | readonly string[]
  /** Answers the validation requests of webhook senders (§4), and limits their rate. Default: OPTIONS is answered 405. */
  readonly webhook?: WebhookOptions
}

export interface Admission {
  /** An answer that can be given before the body is read; null when the request may come in. */
  readonly refusal: (incoming: Incoming) => Answer | null
  /** To be asked last, because it counts: null, or 429. */
  readonly rate: () => Answer | null
  readonly maxBodyBytes: number
  /** Whether requests bring a token of ours. */
  readonly isPrivate: boolean
}

const DEFAULT_MAX_BODY_BYTES = 1024 * 1024

/** Throws PermanentError when an option is not valid. */
export function createAdmission(path: string, options: AdmissionOptions): Admission {
  const { maxBodyBytes = DEFAULT_MAX_BODY_BYTES, accessToken } = options
  const methods = (options.methods ?? ['POST']).map((method) => method.toUpperCase())
  const allow = methods.join(', ')
  const checkAccess = accessToken === undefined ? undefined : accessCheck(accessToken)
  const hook = options.webhook === undefined ? undefined : webhook(options.webhook, methods)

  function refusal(incoming: Incoming): Answer | null {
    if (hook !== undefined && incoming.method === 'OPTIONS') return hook.handshake(incoming)
    if (!methods.includes(incoming.method)) {
      const detail = `${path} takes ${allow}, not ${incoming.method.slice(0, 32)}`
      return problem(405, 'TL_METHOD_UNKNOWN', detail, { headers: { allow } })
    }
    return checkAccess?.(incoming) ?? bodyRefusal(incoming)
  }

  function bodyRefusal(incoming: Incoming): Answer | null {
    const length = Number(incoming.header('content-length') ?? 0)
    if (length > maxBodyBytes) return rejection(new TooLargeError(maxBodyBytes, length))
    const encoding = incoming.header('content-encoding') ?? 'identity'
    if (encoding.toLowerCase() === 'identity') return null
    const detail = `content-encoding ${encoding.slice(0, 64)} is not supported; send the body as it is`
    return problem(415, 'TL_CONTENT_ENCODING_UNSUPPORTED', detail, {
      headers: { 'accept-encoding': 'identity' },
    })
  }

  return { refusal, rate: () => hook?.admit() ?? null, maxBodyBytes, isPrivate: checkAccess !== undefined }
}

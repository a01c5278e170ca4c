import { TooLargeError } from '@throughline/core'
import { type Answer, problem, rejection } from './answer.ts'
import type { Incoming } from './incoming.ts'

/** What can be said of a request before its body is read; null when it may come in. */
export type Admission = (incoming: Incoming) => Answer | null

/** Throws nothing: a method, a length or an encoding that cannot be taken is an answer. */
export function admission(path: string, methods: readonly string[], maxBodyBytes: number): Admission {
  const allow = methods.join(', ')
  return (incoming) => {
    if (!methods.includes(incoming.method)) {
      const detail = `${path} takes ${allow}, not ${incoming.method.slice(0, 32)}`
      return problem(405, 'TL_METHOD_UNKNOWN', detail, { headers: { allow } })
    }
    const length = Number(incoming.header('content-length') ?? 0)
    if (length > maxBodyBytes) return rejection(new TooLargeError(maxBodyBytes, length))
    const encoding = incoming.header('content-encoding') ?? 'identity'
    if (encoding.toLowerCase() === 'identity') return null
    const detail = `content-encoding ${encoding.slice(0, 64)} is not supported; send the body as it is`
    return problem(415, 'TL_CONTENT_ENCODING_UNSUPPORTED', detail, {
      headers: { 'accept-encoding': 'identity' },
    })
  }
}

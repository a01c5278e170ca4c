import { createHash, timingSafeEqual } from 'node:crypto'
import { PermanentError } from '@throughline/core'
import { type Answer, problem } from './answer.ts'
import type { Incoming } from './incoming.ts'

/**
 * Whether a request brings one of the tokens, as Webhooks 1.0 §3 has it: `Authorization: Bearer …`, or `access_token` in
 * the query; null when it does. Compared by digest in constant time, and never shown. Throws PermanentError where there
 * is no token, or an empty one.
 */
export function accessCheck(tokens: string | readonly string[]): (incoming: Incoming) => Answer | null {
  const all = [tokens].flat()
  const digests = all.map(digestOf)
  if (all.length === 0 || all.includes('')) {
    throw new PermanentError('accessToken must be a token, or several; none of them empty')
  }
  return (incoming) => {
    const authorization = incoming.header('authorization')
    const inQuery = new URLSearchParams(incoming.query).getAll('access_token')
    // RFC 6750 §2: one method a request.
    if (inQuery.length > (authorization === undefined ? 1 : 0)) {
      return problem(400, 'TL_TOKEN_REPEATED', 'send one access token, in the authorization header')
    }
    const given = authorization === undefined ? inQuery[0] : /^Bearer +(.+)$/i.exec(authorization)?.[1]
    if (given !== undefined && isOneOf(digestOf(given.trim()), digests)) return null
    const detail = 'an access token is required: authorization: Bearer <token>'
    return problem(401, 'TL_TOKEN_INVALID', detail, { headers: { 'www-authenticate': 'Bearer' } })
  }
}

/** All are compared, so that the time tells nothing. */
function isOneOf(digest: Uint8Array, digests: readonly Uint8Array[]): boolean {
  return digests.reduce((found, other) => timingSafeEqual(digest, other) || found, false)
}

function digestOf(token: string): Uint8Array {
  return createHash('sha256').update(token).digest()
}

import { httpTransport } from '@throughline/http'
import type { Credentials } from './credentials.ts'
import type { Destination } from './destination.ts'
import { createOutlet } from './outlet.ts'
import { made, usage } from './problem.ts'
import type { DestinationUrl } from './url.ts'

/** `http://host/path?query`; the query is the server's. */
export function httpDestination(url: DestinationUrl, { user, password }: Credentials): Destination {
  const { text, authority, query } = url
  if (authority === '') throw usage(`${text} names no host: expected ${url.scheme}://host/path`)
  const target = query === '' ? text : `${text}?${query}`
  return {
    text,
    takes: new Set(),
    outlet: ({ timeoutMs }) =>
      made(() => createOutlet(httpTransport(), { url: target, timeoutMs, ...authorization(user, password) })),
  }
}

function authorization(user: string | undefined, password: string | undefined) {
  if (user === undefined && password === undefined) return {}
  const credentials = Buffer.from(`${user ?? ''}:${password ?? ''}`).toString('base64')
  return { headers: { authorization: `Basic ${credentials}` } }
}

import { isIP } from 'node:net'
import { httpTransport } from '@throughline/http'
import type { Credentials } from './credentials.ts'
import type { Destination, Source } from './destination.ts'
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
      made(() =>
        createOutlet(httpTransport(), {
          url: target,
          timeoutMs,
          retry: false,
          ...authorization(user, password),
        }),
      ),
    source: () => listener(url),
  }
}

function authorization(user: string | undefined, password: string | undefined) {
  if (user === undefined && password === undefined) return {}
  const credentials = Buffer.from(`${user ?? ''}:${password ?? ''}`).toString('base64')
  return { headers: { authorization: `Basic ${credentials}` } }
}

/** A server keeps no messages that could be read: this one is where they are sent to. */
function listener({ scheme, authority, path, text }: DestinationUrl): Source {
  if (!URL.canParse(`http://${authority}`)) throw usage(`${text} names no host and port to listen at`)
  const { hostname, port } = new URL(`http://${authority}`)
  const host = hostname.replace(/^\[|\]$/g, '')
  if (scheme !== 'http' || (host !== 'localhost' && isIP(host) === 0)) {
    throw usage(
      `${text} keeps no messages that could be tailed: tail http://127.0.0.1:8080/path, which listens itself, and have the senders post there`,
    )
  }
  const transport = made(() => httpTransport({ listen: `${hostname}:${port === '' ? 80 : port}` }))
  const subscriber = made(() => transport.subscriber({ path: `/${path}`, methods: ['POST', 'PUT', 'PATCH'] }))
  return { ...transport, subscriber, doing: `listening at ${text}, answering 204` }
}

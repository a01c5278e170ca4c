import type { RequestOptions } from 'node:http'
import { urlToHttpOptions } from 'node:url'
import { PermanentError, type Publisher } from '@throughline/core'

/** An address to post to, its secrets apart. */
export interface Target {
  /** Without user info. */
  readonly url: URL
  /** The same for node:http, which would take a URL apart for each request. */
  readonly address: Pick<RequestOptions, 'host' | 'port' | 'path'>
  /** Origin and path, for messages. */
  readonly name: string
  /** From the URL's user info. */
  readonly authorization: string | undefined
  readonly attributes: NonNullable<Publisher['attributes']>
}

/** Throws PermanentError, which never shows the URL's user info or query. */
export function parseTarget(text: string): Target {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new PermanentError('url must be an absolute http: or https: URL', { code: 'TL_URL_INVALID' })
  }
  const authorization = basicAuthorization(url)
  url.username = ''
  url.password = ''
  url.hash = ''
  return { ...placeOf(url), authorization, attributes: targetAttributes(url) }
}

/** `destination`, a path or URL, on the target's own origin. Throws PermanentError for another: headers may hold secrets. */
export function resolveTarget(target: Target, destination: string): Target {
  const url = URL.canParse(destination, target.url.href) ? new URL(destination, target.url) : null
  if (url === null || url.origin !== target.url.origin) {
    throw new PermanentError(
      `destination ${JSON.stringify(withoutQuery(destination))} is not on ${target.url.origin}, where this publisher sends`,
      { code: 'TL_DESTINATION_INVALID' },
    )
  }
  url.username = ''
  url.password = ''
  url.hash = ''
  return { ...target, ...placeOf(url) }
}

function placeOf(url: URL): Pick<Target, 'url' | 'address' | 'name'> {
  const { hostname, port, path } = urlToHttpOptions(url)
  return { url, address: { host: hostname, port, path }, name: `${url.origin}${url.pathname}` }
}

/** By OpenTelemetry's HTTP conventions; query values are dropped, their names stay. */
function targetAttributes(url: URL): Target['attributes'] {
  const query = [...new Set(url.searchParams.keys())].map((name) => `${encodeURIComponent(name)}=REDACTED`)
  return {
    'url.full': `${url.origin}${url.pathname}${query.length === 0 ? '' : `?${query.join('&')}`}`,
    'server.address': url.hostname.replace(/^\[|\]$/g, ''),
    'server.port': url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
  }
}

function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined
  const credentials = `${percentDecoded(username)}:${percentDecoded(password)}`
  return `Basic ${Buffer.from(credentials).toString('base64')}`
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function withoutQuery(text: string): string {
  return text
    .replace(/\/\/[^/@]*@/, '//')
    .replace(/[?#].*$/s, '')
    .slice(0, 128)
}

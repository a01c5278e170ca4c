import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { errorMessage, PermanentError } from '@throughline/core'
import { type Address, addressText } from './config/field.ts'
import type { RouteStatus } from './route.ts'

export interface AdminOptions {
  readonly statuses: () => readonly RouteStatus[]
  /** True from the moment the bridge was asked to close. */
  readonly isDraining: () => boolean
}

export interface Admin {
  /** Where it listens, the real port where 0 was asked for. */
  readonly address: Address
  close(): Promise<void>
}

/**
 * Server for probes. `/livez`: the process answers, whatever its brokers do. `/readyz`: 200 when every route reads and
 * can publish, else 503; each by name. `/routes`: states and counts. Read only, and without secrets.
 * Throws PermanentError when it cannot listen.
 */
export async function startAdmin(listen: Address, { statuses, isDraining }: AdminOptions): Promise<Admin> {
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    request.resume()
    const path = (request.url ?? '').replace(/\?.*$/s, '')
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      answer(response, 405, { error: `${request.method} is not answered here; GET is` })
    } else if (path === '/livez') answer(response, 200, { live: true })
    else if (path === '/readyz') answerReadiness(response)
    else if (path === '/routes') answer(response, 200, statuses())
    else answer(response, 404, { error: 'there are /livez, /readyz and /routes' })
  })

  function answerReadiness(response: ServerResponse): void {
    const routes = statuses()
    const ready = !isDraining() && routes.every((route) => route.ready)
    const each = routes.map(({ name, ready: own, state, source, target, reason }) => [
      name,
      { ready: own && !isDraining(), state, source, target, ...(reason === undefined ? {} : { reason }) },
    ])
    answer(response, ready ? 200 : 503, { ready, routes: Object.fromEntries(each) })
  }

  try {
    server.listen({ host: listen.host, port: listen.port })
    await once(server, 'listening')
  } catch (error) {
    const message = `the admin server cannot listen on ${addressText(listen)}: ${errorMessage(error)}`
    throw new PermanentError(message, { cause: error, code: 'TL_ADMIN_LISTEN' })
  }
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : listen.port

  return {
    address: { host: listen.host, port },
    async close() {
      const done = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await done
    },
  }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(`${JSON.stringify(body, null, 2)}\n`)
}

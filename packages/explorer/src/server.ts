import Fastify, { type FastifyInstance } from 'fastify'
import { ZodError } from 'zod'
import { bearerCheck, isLoopbackName } from './access.ts'
import { pageRoutes } from './api/page.ts'
import { sendProblem } from './api/problem.ts'
import { type ApiOptions, apiRoutes } from './api/routes.ts'

export interface ServerOptions extends Omit<ApiOptions, 'headers'> {
  /** Host name or address on which the server listens. */
  readonly host: string
  readonly token: string | null
  readonly uiDir: string | null
  readonly log: (message: string) => void
}

const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

/** The explorer's own server: API, live stream and page. Not listening yet. */
export function explorerServer(options: ServerOptions): FastifyInstance {
  const { host, token, log } = options
  const app = Fastify({
    bodyLimit: 1024,
    requestTimeout: 30_000,
    routerOptions: { maxParamLength: 1_024 },
    forceCloseConnections: true,
    frameworkErrors: (error, _request, reply) =>
      sendProblem(reply.headers(securityHeaders), error.statusCode ?? 400, 'TL_BAD_REQUEST', error.message),
  })
  const allows = bearerCheck(token)

  app.addHook('onRequest', async (request, reply) => {
    reply.headers(securityHeaders)
    // A page of another name that resolves to this address must not read what is here (DNS rebinding). With a
    // token nothing can be read without it, whatever the name.
    const name = hostName(request.headers.host)
    if (token === null && !(name !== null && (isLoopbackName(name) || name === host.toLowerCase())))
      return sendProblem(
        reply,
        421,
        'TL_HOST_NOT_ALLOWED',
        `requests for host "${(request.headers.host ?? '').slice(0, 100)}" are not answered here`,
      )
    if (request.url.startsWith('/api/') && !allows(request.headers.authorization))
      return sendProblem(
        reply.header('www-authenticate', 'Bearer'),
        401,
        'TL_TOKEN_NEEDED',
        'a token is needed: Authorization: Bearer …',
      )
  })
  app.addHook('onSend', async (request, reply) => {
    if (request.url.startsWith('/api/')) reply.header('cache-control', 'no-store')
  })
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof ZodError) {
      const issue = error.issues[0]
      return sendProblem(
        reply,
        400,
        'TL_BAD_QUERY',
        `${issue?.path.join('.') || 'request'}: ${issue?.message ?? 'not valid'}`,
      )
    }
    const status =
      error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
        ? error.statusCode
        : 500
    const reason = error instanceof Error ? error.message : String(error)
    if (status < 500) return sendProblem(reply, status, 'TL_BAD_REQUEST', reason)
    log(
      `${request.method} ${request.url.slice(0, 200)} failed: ${error instanceof Error ? (error.stack ?? reason) : reason}`,
    )
    return sendProblem(reply, 500, 'TL_INTERNAL', 'the explorer could not answer; its log says why')
  })
  apiRoutes(app, { ...options, headers: securityHeaders })
  pageRoutes(app, options.uiDir)
  return app
}

/** The name in a Host header, without port; null where there is none that could be one. */
function hostName(header: string | undefined): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[^:/@\s]+)(?::\d+)?$/i.exec(header ?? '')
  return match?.[1]?.toLowerCase() ?? null
}

import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { bearerCheck, isLoopbackName } from '../access.ts'
import { OtlpDecodeError, StoreFullError } from '../errors.ts'
import { contentTypeOf, type Encoding, encodingOf, exportAnswer, failureAnswer, grpcCode } from './answer.ts'
import { decodeRequest } from './codec.ts'
import { ContentError, inflateBody } from './inflate.ts'
import type { IntakeQueue } from './intake-queue.ts'
import { decodeJsonRequest } from './json.ts'
import { intakeOf } from './request.ts'

export interface ReceiverOptions {
  readonly queue: IntakeQueue
  /** Asked for as `Authorization: Bearer …` where it is set. */
  readonly token: string | null
  readonly log: (message: string) => void
  /** Bytes of one body, as sent and as inflated. */
  readonly maxBodyBytes?: number
  /** Bytes of all bodies that are being worked on; beyond it exporters are told to come back (429). */
  readonly maxPendingBytes?: number
}

const retryAfterSeconds = 1

/**
 * OTLP/HTTP (OTLP specification 1.x): `POST /v1/traces` in protobuf and JSON. Spans are kept before the answer
 * is 200. Metrics and logs are taken and let go, with an answer that says so, so that SDKs with default
 * settings do not report errors.
 */
export function otlpReceiver(options: ReceiverOptions): FastifyInstance {
  const { queue, log, maxBodyBytes = 16 * 1024 * 1024, maxPendingBytes = 64 * 1024 * 1024 } = options
  const app = Fastify({ bodyLimit: maxBodyBytes, requestTimeout: 30_000, forceCloseConnections: true })
  const allows = bearerCheck(options.token)
  let pendingBytes = 0
  let isFull = false

  function hold(reply: FastifyReply, bytes: number): void {
    pendingBytes += bytes
    reply.raw.once('close', () => {
      pendingBytes -= bytes
    })
  }

  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    ['application/x-protobuf', 'application/protobuf', 'application/json'],
    { parseAs: 'buffer' },
    (_request, body, done) => done(null, body),
  )

  app.addHook('onRequest', async (request, reply) => {
    // Browsers name the page's origin with every POST: a page from elsewhere must not write into the store.
    const origin = request.headers.origin
    if (origin !== undefined && !isLoopbackName(hostOf(origin)))
      return fail(
        request,
        reply,
        403,
        grpcCode.permissionDenied,
        `requests from pages of ${origin} are not taken`,
      )
    if (!allows(request.headers.authorization))
      return fail(request, reply, 401, grpcCode.unauthenticated, 'a token is needed: Authorization: Bearer …')
    const announced = Math.min(announcedBytes(request), maxBodyBytes)
    if (pendingBytes + announced > maxPendingBytes)
      return fail(request, reply, 429, grpcCode.resourceExhausted, 'too many spans at once; try again', true)
    // Held from before the body is read until the answer is out, or the connection has gone.
    hold(reply, announced)
  })

  app.post('/v1/traces', async (request, reply) => {
    const encoding = answerEncoding(request)
    const sent = bodyOf(request)
    const body = await inflateBody(sent, request.headers['content-encoding'], maxBodyBytes)
    hold(reply, body.length - sent.length)
    const intake = intakeOf(encoding === 'json' ? decodeJsonRequest(body) : decodeRequest(body))
    await queue.add(intake.records)
    if (isFull) log('there is room again: spans are kept')
    isFull = false
    return answer(reply, 200, encoding, exportAnswer(encoding, 'traces', intake.rejected, intake.message))
  })

  for (const signal of ['metrics', 'logs'] as const) {
    app.post(`/v1/${signal}`, async (request, reply) => {
      const encoding = answerEncoding(request)
      const message = `${signal} are not kept: this explorer keeps traces only`
      return answer(reply, 200, encoding, exportAnswer(encoding, signal, 0, message))
    })
  }

  app.setNotFoundHandler((request, reply) =>
    fail(
      request,
      reply,
      404,
      grpcCode.notFound,
      `${request.method} ${request.url.slice(0, 200)} is not here; traces go to POST /v1/traces`,
    ),
  )

  app.setErrorHandler((error, request, reply) => {
    if (error instanceof OtlpDecodeError)
      return fail(request, reply, 400, grpcCode.invalidArgument, error.message)
    if (error instanceof ContentError)
      return fail(request, reply, error.status, grpcCode.invalidArgument, error.message)
    if (error instanceof StoreFullError) {
      if (!isFull) log(error.message)
      isFull = true
      return fail(request, reply, 503, grpcCode.unavailable, error.message, true)
    }
    const status = statusOf(error)
    if (status === 413)
      return fail(request, reply, 413, grpcCode.invalidArgument, `body is larger than ${maxBodyBytes} bytes`)
    if (status === 415)
      return fail(
        request,
        reply,
        415,
        grpcCode.invalidArgument,
        'content type must be application/x-protobuf or application/json',
      )
    const reason = error instanceof Error ? error.message : String(error)
    if (status < 500) return fail(request, reply, status, grpcCode.invalidArgument, reason)
    log(`spans could not be kept: ${reason}`)
    return fail(request, reply, 500, grpcCode.internal, 'spans could not be kept')
  })
  return app
}

function bodyOf(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
}

const announcedBytes = (request: FastifyRequest): number =>
  Number(request.headers['content-length'] ?? 0) || 0

const answerEncoding = (request: FastifyRequest): Encoding =>
  encodingOf(request.headers['content-type']) ?? 'json'

function answer(reply: FastifyReply, status: number, encoding: Encoding, body: Buffer): FastifyReply {
  return reply.code(status).header('content-type', contentTypeOf[encoding]).send(body)
}

function fail(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  code: number,
  message: string,
  retry = false,
): FastifyReply {
  const encoding = answerEncoding(request)
  if (retry) reply.header('retry-after', String(retryAfterSeconds))
  return answer(reply, status, encoding, failureAnswer(encoding, code, message))
}

function statusOf(error: unknown): number {
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number')
    return error.statusCode
  return 500
}

function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).hostname : ''
}

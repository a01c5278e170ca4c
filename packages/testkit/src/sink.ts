import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, inflateSync } from 'node:zlib'
import { decodeTraces, type PlainSpan } from './otlp.ts'

/** One OTLP request as it came: the body is what was on the wire, still compressed. */
export interface SinkRequest {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Uint8Array
}

/** A plain OTLP/HTTP receiver that keeps everything, to see what a process really exports. */
export interface OtlpSink extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, for `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string
  readonly requests: readonly SinkRequest[]
  /** All spans received on `/v1/traces`, in order of arrival. Throws when a body cannot be decoded. */
  spans(): readonly PlainSpan[]
  /** Forgets what was received. */
  reset(): void
  /** Answers with this status from now on, e.g. 503; 200 is the default. */
  answer(statusCode: number): void
  /** Stops listening. */
  close(): Promise<void>
}

/** Starts a sink on 127.0.0.1; port 0 (default) takes a free one. Rejects when the port is taken. */
export async function otlpSink({ port = 0 }: { readonly port?: number } = {}): Promise<OtlpSink> {
  let requests: SinkRequest[] = []
  let statusCode = 200
  const server = createServer(async (request, response) => {
    try {
      const body = await buffer(request)
      requests.push({ path: request.url ?? '', headers: request.headers, body })
      // An empty protobuf message is a valid answer of every OTLP service; JSON needs the braces.
      const json = request.headers['content-type']?.includes('json') === true
      response.writeHead(statusCode, { 'content-type': json ? 'application/json' : 'application/x-protobuf' })
      response.end(json ? '{}' : undefined)
    } catch {
      response.destroy()
    }
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the sink has no TCP address')

  async function close(): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }

  return {
    url: `http://127.0.0.1:${address.port}`,
    get requests() {
      return requests
    },
    spans: () =>
      requests.flatMap((request) =>
        request.path === '/v1/traces'
          ? decodeTraces(inflate(request), request.headers['content-type'] ?? 'application/x-protobuf')
          : [],
      ),
    reset() {
      requests = []
    },
    answer(code) {
      statusCode = code
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function inflate({ headers, body }: SinkRequest): Uint8Array {
  const encoding = headers['content-encoding']
  if (encoding === 'gzip') return gunzipSync(body)
  if (encoding === 'deflate') return inflateSync(body)
  if (encoding === undefined || encoding === 'identity') return body
  throw new Error(`content-encoding ${encoding} is none that OTLP clients use`)
}

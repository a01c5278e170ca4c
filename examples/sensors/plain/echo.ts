// An HTTP service that answers with what it was sent. By node:http.
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { ended } from './ended.ts'

const { values } = parseArgs({ options: { port: { type: 'string', default: process.env.PORT ?? '8082' } } })
const maxBytes = 1 << 20

const server = createServer((request, response) => {
  if (request.url !== '/echo' || request.method !== 'POST') {
    response.writeHead(request.url === '/echo' ? 405 : 404).end()
    return
  }
  const chunks: Buffer[] = []
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= maxBytes) chunks.push(chunk)
  })
  request.on('end', () => {
    if (bytes > maxBytes) response.writeHead(413).end()
    else
      response
        .writeHead(200, { 'content-type': request.headers['content-type'] ?? 'application/octet-stream' })
        .end(Buffer.concat(chunks))
  })
})
server.on('error', (error) => {
  console.error(`echo: ${error.message}`)
  process.exit(1)
})
server.listen(Number(values.port), '127.0.0.1', () => {
  console.error(`echo: listening on 127.0.0.1:${values.port}`)
})

await ended()
const closed = new Promise((resolve) => server.close(resolve))
server.closeIdleConnections()
await closed

// An OTLP receiver that answers and forgets: a process of its own, so that it costs the measured ones nothing.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  request
    .resume()
    .on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end())
})
// An exporter that writes to a connection as it is closed for idleness would lose its batch.
server.keepAliveTimeout = 0
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(`http://127.0.0.1:${address.port}`)
})
process.on('disconnect', () => process.exit())

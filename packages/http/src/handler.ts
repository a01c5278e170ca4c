import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Subscription } from '@throughline/core'
import { CLOSING } from './answer.ts'
import { fetchIncoming } from './fetch.ts'
import type { Endpoint, Mount } from './incoming.ts'
import { nodeIncoming } from './node.ts'

/** How a server that is not ours hands over its requests. */
export interface RequestHandler {
  /** Answers one request of the Fetch standard, when its events are settled. Never rejects. */
  fetch(request: Request): Promise<Response>
  /** The same for Node's own server, and for frameworks over it: `createServer(events.node)`. */
  node(request: IncomingMessage, response: ServerResponse): void
}

/** A subscription whose requests come through somebody else's server. Closed, it answers 503. */
export type HttpHandler = Subscription & RequestHandler

/** A handler and the mount of its one subscriber. It looks at no path: whoever calls it has done that. */
export function createHandler(): { mount: Mount; handler: RequestHandler } {
  let endpoint: Pick<Endpoint, 'handle'> = { handle: (incoming) => incoming.refuse(CLOSING) }
  return {
    mount: {
      async attach(opened) {
        endpoint = opened
      },
      // A closed subscriber goes on refusing what comes.
      async detach() {},
      attributes: () => ({}),
    },
    handler: {
      fetch(request) {
        const { incoming, response } = fetchIncoming(request)
        endpoint.handle(incoming)
        return response
      },
      node: (request, response) => endpoint.handle(nodeIncoming(request, response)),
    },
  }
}

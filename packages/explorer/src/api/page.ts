import { createReadStream, realpathSync, statSync } from 'node:fs'
import { extname, join, sep } from 'node:path'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { sendProblem } from './problem.ts'

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
  '.map': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
}

/** `app-5f3a9c1b.js`: the name changes with the content, so what is cached never goes stale. */
const hashedName = /[.-][A-Za-z0-9_]{8,}\.\w+$/

const withoutPage = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Throughline explorer</title>
<h1>The explorer is running</h1>
<p>Its page has not been built. <code>throughline explorer</code> builds it in a clone; the published package contains it.
The API answers under <a href="/api/journeys">/api/journeys</a>.</p></html>`

/** Serves the page's files; a path without extension is one of the page's own views and gets its index.html. */
export function pageRoutes(app: FastifyInstance, uiDir: string | null): void {
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request.url)
    if (path === null || path.startsWith('/api/') || (request.method !== 'GET' && request.method !== 'HEAD'))
      return sendProblem(
        reply,
        404,
        'TL_NOT_FOUND',
        `${request.method} ${request.url.slice(0, 200)} is not here`,
      )
    if (uiDir === null) return reply.header('content-type', 'text/html; charset=utf-8').send(withoutPage)
    const isView = extname(path) === '' || path.startsWith('/journey/')
    const file = (isView ? null : fileIn(uiDir, path)) ?? (isView ? fileIn(uiDir, '/index.html') : null)
    if (file === null)
      return sendProblem(reply, 404, 'TL_NOT_FOUND', `${path.slice(0, 200)} is not one of the page's files`)
    return sendFile(reply, file)
  })
}

function pathOf(url: string): string | null {
  try {
    return decodeURIComponent(url.split(/[?#]/)[0] ?? '/')
  } catch {
    return null
  }
}

/** The file of a path inside a folder, or null: also for paths and links that lead out of it. */
function fileIn(folder: string, path: string): string | null {
  if (path.includes('\0')) return null
  try {
    const root = realpathSync(folder)
    const file = realpathSync(join(root, path))
    return file.startsWith(root + sep) && statSync(file).isFile() ? file : null
  } catch {
    return null
  }
}

function sendFile(reply: FastifyReply, file: string): FastifyReply {
  const isFixed = hashedName.test(file) && extname(file) !== '.html'
  return reply
    .header('content-type', types[extname(file)] ?? 'application/octet-stream')
    .header('content-length', statSync(file).size)
    .header('cache-control', isFixed ? 'public, max-age=31536000, immutable' : 'no-cache')
    .send(createReadStream(file))
}

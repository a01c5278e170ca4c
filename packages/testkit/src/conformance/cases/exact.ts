import assert from 'node:assert/strict'
import type { Features, Header, HeaderValue, Message } from '@throughline/core'
import type { Case } from '../case.ts'
import { exchange, type Site } from '../site.ts'

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, index) => index)
const NUMBER = 'x-conformance-number'

export const exactCases: readonly Case[] = [
  {
    title: 'bodies arrive to the byte: none, one, all 256 values, a mebibyte',
    async run(site) {
      const bodies = [
        new Uint8Array(),
        Uint8Array.of(0),
        ALL_BYTES,
        Uint8Array.from({ length: 1024 * 1024 }, (_, index) => (index * 7 + (index >> 8)) % 256),
      ]
      const arrived = await arrivals(
        site,
        bodies.map((body) => ({ body, headers: [] })),
      )
      for (const [index, body] of bodies.entries()) {
        assert.ok(Buffer.from(arrived[index]?.body ?? 'no body').equals(body), `${body.length} bytes`)
      }
    },
  },
  {
    title: 'headers arrive as they were sent: repeated ones in order, empty values, 8 KiB',
    inapplicable: ({ headers }) => (headers === 'none' ? 'it carries no headers' : null),
    run: (site) =>
      sameHeaders(site, [
        ['x-twice', '1'],
        ['x-between', 'a, b; c="d"'],
        ['x-twice', '2'],
        ['x-empty', ''],
        ['x-percent', '100%25'],
        ['x-long', 'x'.repeat(8192)],
      ]),
  },
  {
    title: 'header values of any text arrive as they were sent',
    inapplicable: ({ headers }) => only(headers, ['text', 'bytes'], 'text'),
    run: (site) =>
      sameHeaders(site, [
        ['x-text', 'grüezi € 🎉 日本'],
        ['x-blanks', '  two before, one after '],
      ]),
  },
  {
    title: 'header values of any bytes arrive as they were sent',
    inapplicable: ({ headers }) => only(headers, ['bytes'], 'bytes that are no text'),
    run: (site) =>
      sameHeaders(site, [
        ['x-bytes', ALL_BYTES],
        ['x-bytes', Uint8Array.of(0xff)],
      ]),
  },
  {
    title: 'the content type arrives as it was sent',
    inapplicable: ({ headers }) => (headers === 'none' ? 'it carries no headers' : null),
    async run(site) {
      const contentType = 'text/plain; charset=utf-8'
      const [message] = await arrivals(site, [{ body: Buffer.from('x'), headers: [], contentType }])
      assert.equal(message?.contentType, contentType)
    },
  },
]

function only(
  headers: Features['headers'],
  allowed: readonly Features['headers'][],
  what: string,
): string | null {
  return allowed.includes(headers) ? null : `features.headers is ${headers}: it cannot carry ${what}`
}

/** The messages as they arrived, in the order in which they were sent. */
async function arrivals(site: Site, sent: readonly Message[]): Promise<readonly (Message | undefined)[]> {
  const hasHeaders = site.features.headers !== 'none'
  // One after the other where nothing else tells them apart.
  if (!hasHeaders) {
    const arrived: (Message | undefined)[] = []
    for (const message of sent) arrived.push((await exchange(site, [message]))[0]?.message)
    return arrived
  }
  const told = sent.map((message, index) => ({
    ...message,
    headers: [...message.headers, [NUMBER, String(index)] as const],
  }))
  const arrived = (await exchange(site, told)).map(({ message }) => message)
  return sent.map((_, index) =>
    arrived.find(({ headers }) => valuesOf(headers, NUMBER).includes(String(index))),
  )
}

/** Compares by name: a transport may add headers of its own, and names may stand in another order. */
async function sameHeaders(site: Site, headers: readonly Header[]): Promise<void> {
  const [message] = await arrivals(site, [{ body: Buffer.from('x'), headers }])
  for (const name of new Set(headers.map(([each]) => each))) {
    assert.deepEqual(
      valuesOf(message?.headers ?? [], name).map(plain),
      valuesOf(headers, name).map(plain),
      name,
    )
  }
}

function valuesOf(headers: readonly Header[], name: string): readonly HeaderValue[] {
  return headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value)
}

/** Bytes that are text may be read as text. */
const plain = (value: HeaderValue): string => Buffer.from(value).toString('latin1')

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Header, PermanentError } from '@throughline/core'
import { messageHeaders, requestHeaders } from '../src/headers.ts'

/** The values of each header, by its name as it is sent. */
function send(headers: Header[], defaults: Header[] = [], contentType?: string) {
  const message = { body: null, headers, ...(contentType === undefined ? {} : { contentType }) }
  const sent = Object.entries(requestHeaders(message, defaults))
  return Object.fromEntries(sent.map(([name, values]) => [name, [values].flat()]))
}

test('any value can be sent; what HTTP cannot say is percent-encoded', () => {
  const sent = send([
    ['a', 'plain "text" 100%'],
    ['b', 'ü\r\nevil: 1'],
    ['c', ' edges '],
    ['d', new TextEncoder().encode('é')],
    ['e', new Uint8Array([0xff, 0x41])],
    ['f', ''],
    ['__proto__', 'x'],
  ])
  assert.deepEqual(Object.entries(sent), [
    ['a', ['plain "text" 100%']],
    ['b', ['%C3%BC%0D%0Aevil: 1']],
    ['c', ['%20edges%20']],
    ['d', ['%C3%A9']],
    ['e', ['%FF%41']],
    ['f', ['']],
    ['__proto__', ['x']],
  ])
})

test('headers of the connection are not the message’s to set', () => {
  const headers: Header[] = [
    ['Connection', 'x'],
    ['transfer-encoding', 'chunked'],
    ['Content-Length', '5'],
    ['host', 'evil'],
    ['x', '1'],
  ]
  assert.deepEqual({ ...send(headers) }, { x: ['1'] })
})

test('a header of the message takes the place of a default, and repeated ones stay', () => {
  const own: Header[] = [
    ['Authorization', 'mine'],
    ['x', '1'],
    ['X', '2'],
  ]
  const defaults: Header[] = [
    ['authorization', 'default'],
    ['y', '3'],
  ]
  assert.deepEqual({ ...send(own, defaults) }, { Authorization: ['mine'], x: ['1', '2'], y: ['3'] })
})

test('the content type of the message is the only one', () => {
  assert.deepEqual({ ...send([['Content-Type', 'a/b']], [], 'c/d') }, { 'content-type': ['c/d'] })
  assert.deepEqual({ ...send([['Content-Type', 'a/b']]) }, { 'Content-Type': ['a/b'] })
})

test('a name that HTTP cannot have is refused by name', () => {
  assert.throws(() => send([['my header', '1']]), PermanentError)
  assert.throws(() => send([['', '1']]), PermanentError)
})

test('received headers keep order, case and repetition; UTF-8 is read as such, other bytes as Latin-1', () => {
  const utf8 = Buffer.from('é').toString('latin1')
  assert.deepEqual(
    messageHeaders(['X-A', '1', 'x-a', '2', 'Content-Type', 'a/b', 'u', utf8, 'l', 'caf\u00e9']),
    [
      ['X-A', '1'],
      ['x-a', '2'],
      ['u', 'é'],
      ['l', 'café'],
    ],
  )
})

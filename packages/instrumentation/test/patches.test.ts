import assert from 'node:assert/strict'
import { on } from 'node:events'
import { test } from 'node:test'
import { markTraced } from '@throughline/core'
import { createPatches, type Method } from '../src/patches.ts'

class Client {
  send(text: string, _options?: object): string {
    return `sent ${text} ${this.constructor.name}`
  }
}
class Special extends Client {}

const loud = (original: Method): Method =>
  function (text, ...rest) {
    return original.call(this, text.toUpperCase(), ...rest)
  }

/** As OpenTelemetry's own and other vendors' instrumentations mark what they wrap. */
function shimmed(original: Method): Method {
  const wrapped: Method = function (...args) {
    return original.apply(this, args)
  }
  return Object.assign(wrapped, { __original: original, __unwrap: () => {}, __wrapped: true })
}

test('a method is wrapped, and given back as it was', () => {
  const { send } = Client.prototype
  const before = Object.getOwnPropertyDescriptor(Client.prototype, 'send')
  const patches = createPatches('client', () => true)
  patches.wrap(Client.prototype, 'send', loud)
  assert.equal(new Client().send('a'), 'sent A Client')
  assert.deepEqual([Client.prototype.send.name, Client.prototype.send.length], [send.name, send.length])
  patches.restore()
  assert.deepEqual(Object.getOwnPropertyDescriptor(Client.prototype, 'send'), before)
})

test('a method that is wrapped twice is wrapped once, by whichever instrumentation came first', () => {
  const first = createPatches('client', () => true)
  const second = createPatches('client', () => true)
  first.wrap(Client.prototype, 'send', (original) => (text) => `1${original.call(new Client(), text)}`)
  second.wrap(Client.prototype, 'send', loud)
  assert.equal(new Client().send('a'), '1sent a Client')
  second.restore()
  first.restore()
})

test('an inherited method is wrapped where it is asked for, and gone again afterwards', () => {
  const patches = createPatches('client', () => true)
  patches.wrap(Special.prototype, 'send', loud)
  assert.equal(new Special().send('a'), 'sent A Special')
  assert.equal(new Client().send('a'), 'sent a Client')
  patches.restore()
  assert.equal(Object.hasOwn(Special.prototype, 'send'), false)
})

test("an object's own method is wrapped out of sight, and runs alone once disabled", () => {
  let enabled = true
  const patches = createPatches('client', () => enabled)
  const client = new Client()
  patches.wrapOwn(client, 'send', loud)
  assert.equal(client.send('a'), 'sent A Client')
  assert.deepEqual(Object.keys(client), [])
  enabled = false
  assert.equal(client.send('a'), 'sent a Client')
})

test('what is not there, or may not be replaced, is left', () => {
  const patches = createPatches('client', () => true)
  const fixed = Object.freeze({ send: (text: string) => text })
  patches.wrap(undefined, 'send', loud)
  patches.wrap({}, 'send', loud)
  patches.wrap(fixed, 'send', loud)
  assert.equal(fixed.send('a'), 'a')
  const module = Object.defineProperty({}, 'Client', { get: () => Client, enumerable: true })
  patches.construct(module, 'Client', () => assert.fail('it is not wrapped'))
  ;new (module as { Client: typeof Client }).Client()
})

test('a class that is followed makes the same instances, also of its own kinds', () => {
  const module = { Client }
  const made: unknown[] = []
  const patches = createPatches('client', () => true)
  patches.construct(module, 'Client', (instance, args) => made.push(instance, args))
  class Own extends module.Client {}
  const client = new module.Client()
  const own = new Own()
  assert.deepEqual(made, [client, [], own, []])
  assert.equal(client.constructor, module.Client)
  assert.equal(own.constructor, Own)
  assert.ok(client instanceof Client && own instanceof module.Client)
  patches.restore()
  assert.equal(module.Client, Client)
  assert.equal(Client.prototype.constructor, Client)
})

test('a class that two modules export is one class, followed and followed again', () => {
  const modules = [{ Client }, { Client }] as const
  const patches = createPatches('client', () => true)
  const follow = () => {
    for (const module of modules) patches.construct(module, 'Client', () => {})
    return modules[0].Client
  }
  const followed = follow()
  assert.notEqual(followed, Client)
  assert.equal(modules[1].Client, followed)
  assert.equal(new modules[1].Client().constructor, followed)
  patches.restore()
  assert.deepEqual(modules, [{ Client }, { Client }])
  assert.equal(follow(), followed)
  patches.restore()
})

test('a fault in what follows a class does not reach who makes an instance', () => {
  const module = { Client }
  const patches = createPatches('client that is followed', () => true)
  patches.construct(module, 'Client', () => {
    throw new Error('followed')
  })
  assert.ok(new module.Client() instanceof Client)
  patches.restore()
})

test("beside another instrumentation's wrapper the original runs alone, whoever came first, with one warning", async () => {
  const warnings = on(process, 'warning')
  const before = { send: shimmed((text: string) => text) }
  createPatches('rival', () => true).wrap(before, 'send', loud)
  assert.equal(before.send('a'), 'a')
  const after = { send: (text: string) => text }
  createPatches('rival', () => true).wrap(after, 'send', loud)
  assert.equal(after.send('a'), 'A')
  after.send = shimmed(after.send)
  assert.equal(after.send('a'), 'a')
  for await (const [{ message }] of warnings) {
    if (message.startsWith('rival is traced by another instrumentation too')) break
  }
})

test('a client that the library made runs alone, one whose class overrides the method is traced', () => {
  const patches = createPatches('client', () => true)
  patches.wrap(Client.prototype, 'send', loud)
  assert.equal(markTraced(new Client()).send('a'), 'sent a Client')
  class Own extends Client {
    override send(text: string) {
      return `own ${super.send(text)}`
    }
  }
  assert.equal(new Own().send('a'), 'own sent A Own')
  patches.restore()
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { destinationOf } from '../../src/destination/destination.ts'
import { isSwitchedOn, optionsOf, parseDestinationUrl } from '../../src/destination/url.ts'
import { CommandError } from '../../src/failure.ts'

describe('a destination’s URL', () => {
  test('has several brokers, and its parts percent-decoded', () => {
    const url = parseDestinationUrl('KAFKA://an%40na:p%2Fw:x@a:9092,b:9093/orders%2Enew?sasl=PLAIN')
    assert.deepEqual(
      { ...url },
      {
        scheme: 'kafka',
        user: 'an@na',
        password: 'p/w:x',
        authority: 'a:9092,b:9093',
        path: 'orders.new',
        query: 'sasl=PLAIN',
        text: 'kafka://a:9092,b:9093/orders%2Enew',
      },
    )
  })

  test('keeps the wildcards of MQTT, and a topic that begins with a slash', () => {
    assert.equal(parseDestinationUrl('mqtt://h/sensors/+/#').path, 'sensors/+/#')
    assert.equal(parseDestinationUrl('mqtt://h//a').path, '/a')
  })

  test('with an @ in the password is never taken for a host that would be printed', () => {
    const { authority, password, text } = parseDestinationUrl('mqtt://anna:se@cret@host/a')
    assert.deepEqual(
      { authority, password, text },
      { authority: 'host', password: 'se@cret', text: 'mqtt://host/a' },
    )
  })

  test('with options that are not known, or there twice, names them', () => {
    const options = (query: string) => optionsOf(parseDestinationUrl(`kafka://h/t?${query}`), ['sasl'])
    assert.deepEqual(options('sasl=a%20b'), new Map([['sasl', 'a b']]))
    assert.throws(() => options('salt=1'), /"salt" that is not known: expected sasl/)
    assert.throws(() => options('sasl=1&sasl=2'), /"sasl" twice/)
  })
})

describe('a switch in a destination’s URL', () => {
  const isOn = (query: string) =>
    isSwitchedOn(optionsOf(parseDestinationUrl(`mqtt://h/t?${query}`), ['envelope']), 'envelope')

  test('is on where it is named or true, and off where it is false or absent', () => {
    assert.deepEqual(['envelope', 'envelope=true', 'envelope=', 'envelope=false', ''].map(isOn), [
      true,
      true,
      true,
      false,
      false,
    ])
  })
})

describe('a destination that cannot be one is refused in words, without its password', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['orders', /no URL: expected kafka:\/\/host:9092\/topic/],
    ['kafak://u:secret@h/t', /"kafak" is no scheme of a destination: expected kafka, /],
    ['kafka://u:secret@h', /kafka:\/\/h names no topic: expected kafka:\/\/h\/topic/],
    ['kafka:///orders', /names no broker/],
    ['kafka://u:secret@h:0/t', /brokers\[0\] is not host:port/],
    ['kafka://u@h/t', /SASL needs a user and a password: in the URL, or THROUGHLINE_USERNAME/],
    ['kafka://h/t?sasl=secret', /sasl is to be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512/],
    ['mqtt://u:secret@h', /mqtt:\/\/h names no topic: expected mqtt:\/\/h\/alerts\/1/],
    ['ws://h/mqtt', /names no topic: expected ws:\/\/h\/mqtt\?topic=alerts\/1/],
    ['mqtt://h/a?envelope=yes', /envelope is to be true or false/],
    ['http:///x', /names no host/],
    [
      'amqp://u:secret@h',
      /amqp:\/\/h is to name one of exchange, queue or stream: expected amqp:\/\/h\?exchange=/,
    ],
    ['amqp://h/?exchange=a&queue=b', /is to name one of exchange, queue or stream/],
    ['amqp://h/?queue=a&routingKey=b', /a routingKey goes with an exchange alone/],
    ['amqp:///?queue=a', /names no broker/],
  ]
  for (const [text, expected] of cases) {
    test(text, async () => {
      await assert.rejects(destinationOf(text, {}), (error) => {
        assert.ok(error instanceof CommandError)
        assert.equal(error.exitCode, 2)
        assert.match(error.message, expected)
        assert.doesNotMatch(error.message, /secret/)
        return true
      })
    })
  }

  for (const [text, expected] of [
    ['kafka://h/a%20b', /"a b" is no topic name/],
    ['mqtt://h/a/+', /a\/\+ has a wildcard: a message is sent to one topic/],
    ['http://h:99999/x', /url must be an absolute/],
  ] as const) {
    test(`${text}, when it is sent to`, async () => {
      const destination = await destinationOf(text, {})
      assert.throws(() => destination.outlet({ timeoutMs: 1000 }), expected)
    })
  }

  for (const [text, expected] of [
    ['http://127.0.0.1:99999/x', /names no host and port/],
    ['http://a b/x', /names no host and port/],
    ['https://127.0.0.1/x', /keeps no messages that could be tailed/],
    ['mqtt://h/$share/a/b', /is a shared subscription/],
  ] as const) {
    test(`${text}, when it is tailed`, async () => {
      const destination = await destinationOf(text, {})
      assert.throws(
        () => destination.source({}),
        (error) => error instanceof CommandError && expected.test(error.message),
      )
    })
  }
})

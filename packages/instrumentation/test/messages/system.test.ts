import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverAttributes } from '../../src/messages/system.ts'

const server = (address: string, port: number) => ({ 'server.address': address, 'server.port': port })

test('a server is read from an address as clients take it', () => {
  const addresses: [string, ReturnType<typeof server>][] = [
    ['localhost:9092', server('localhost', 9092)],
    ['localhost', server('localhost', 1883)],
    ['Broker-1.Example.COM:9092', server('broker-1.example.com', 9092)],
    ['10.0.0.1:1', server('10.0.0.1', 1)],
    ['[::1]:9092', server('::1', 9092)],
    ['mqtt://[fe80::1%25eth0]', server('fe80::1%25eth0', 1883)],
    ['ws://host:80/mqtt?a=b:8', server('host', 80)],
    ['SASL_SSL://host:9093', server('host', 9093)],
    ['amqp://host/v@x', server('host', 1883)],
    ['http_proxy:3128', server('http_proxy', 3128)],
  ]
  for (const [address, expected] of addresses) {
    assert.deepEqual(serverAttributes(address, 1883), expected, address)
  }
})

test('user and password are never a part of it', () => {
  const addresses = ['user:secret@host', 'mqtt://user:secret@host', 'amqp://u@x:se@cret@host/']
  for (const address of addresses) assert.deepEqual(serverAttributes(address, 1), server('host', 1), address)
})

test('of what cannot be told apart nothing is said', () => {
  const odd = ['', '::1', 'host:port', 'host:99999', 'mqtt://', 'a b:1', 'mqtt://u:12#x@host', '/tmp/socket']
  for (const address of [undefined, ...odd]) assert.deepEqual(serverAttributes(address, 1), {}, address)
})

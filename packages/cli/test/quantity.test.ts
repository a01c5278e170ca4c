import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../src/address.ts'
import { parseBytes, parseDuration } from '../src/quantity.ts'

test('durations are read in milliseconds', () => {
  assert.equal(parseDuration('90m'), 5_400_000)
  assert.equal(parseDuration('7d'), 604_800_000)
  assert.equal(parseDuration('0.5h'), 1_800_000)
  for (const text of ['', '7', 'd', '-1d', '7 days', '0s', '1e3s', '9999999999999999w'])
    assert.throws(() => parseDuration(text), /Expected a duration/, text)
})

test('sizes are read in bytes, by decimal and binary units', () => {
  assert.equal(parseBytes('10GB'), 10_000_000_000)
  assert.equal(parseBytes('2GiB'), 2_147_483_648)
  assert.equal(parseBytes('500 mb'), 500_000_000)
  for (const text of ['', '10', 'GB', '-1GB', '10XB', '0B'])
    assert.throws(() => parseBytes(text), /Expected a size/, text)
})

test('addresses are a host and a port', () => {
  assert.deepEqual(parseAddress('127.0.0.1:9090'), { host: '127.0.0.1', port: 9090 })
  assert.deepEqual(parseAddress('[::1]:0'), { host: '::1', port: 0 })
  for (const text of ['', '9090', ':9090', 'a:70000', '::1:80', 'http://a:1'])
    assert.throws(() => parseAddress(text), /Expected host:port/, text)
})

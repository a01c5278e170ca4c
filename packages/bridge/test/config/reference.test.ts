import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configReference, configSchema } from '../../src/config/reference.ts'

test('the JSON Schema is strict and knows connections by their type', () => {
  const schema = JSON.stringify(configSchema())
  assert.match(schema, /"\$schema":"https:\/\/json-schema.org\/draft\/2020-12\/schema"/)
  assert.match(schema, /"additionalProperties":false/)
  for (const type of ['http', 'kafka', 'mqtt']) assert.ok(schema.includes(`"const":"${type}"`), type)
})

test('the reference has a section an object and says what every field is for', () => {
  const reference = configReference()
  const headings = reference.split('\n').filter((line) => line.startsWith('### '))
  assert.deepEqual(headings, [
    '### The file',
    '### connections.<name> (http)',
    '### connections.<name> (kafka)',
    '### connections.<name>.certificates',
    '### connections.<name>.sasl',
    '### connections.<name>.sasl (OAUTHBEARER)',
    '### connections.<name> (mqtt)',
    '### connections.<name> (rabbitmq)',
    '### routes.<name>',
    '### routes.<name>.from (http)',
    '### routes.<name>.from.webhook',
    '### routes.<name>.from (kafka)',
    '### routes.<name>.from (mqtt)',
    '### routes.<name>.from (rabbitmq)',
    '### routes.<name>.from.bindings[]',
    '### routes.<name>.to (http)',
    '### routes.<name>.to (kafka)',
    '### routes.<name>.to (mqtt)',
    '### routes.<name>.to (rabbitmq)',
    '### routes.<name>.deadLetter (http)',
    '### routes.<name>.deadLetter (kafka)',
    '### routes.<name>.deadLetter (mqtt)',
    '### routes.<name>.deadLetter (rabbitmq)',
    '### routes.<name>.retry',
    '### routes.<name>.trace',
    '### admin',
  ])
  const undescribed = reference.split('\n').filter((line) => line.startsWith('| `') && line.endsWith('|  |'))
  assert.deepEqual(undescribed, [])
  assert.match(reference, /\| `backoff` \| string \| `200ms..30s` \| First and longest wait/)
})

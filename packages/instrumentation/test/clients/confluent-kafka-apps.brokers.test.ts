import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { tree } from '@throughline/testkit'
import { runApp } from '../support/app.ts'
import { CLIENT, needsClient } from '../support/confluent-kafka.ts'
import { shopTree } from '../support/kafka-shop.ts'
import { brokers, OMIT } from '../support/kafkajs.ts'

for (const format of ['cjs', 'mjs'] as const) {
  test(
    `an application with ${CLIENT}, ${format}, is traced without a word of ours`,
    needsClient,
    async () => {
      const prefix = `app-${randomUUID()}`
      const env = { KAFKA_BROKERS: brokers().join(','), TOPIC_PREFIX: prefix }
      const { spans, stdout } = await runApp({ client: CLIENT, version: 'newest', format, env })
      assert.equal(stdout, 'true 0\nfirst second\n')
      assert.deepEqual(tree(spans, { omit: OMIT }), shopTree(prefix))
    },
  )
}

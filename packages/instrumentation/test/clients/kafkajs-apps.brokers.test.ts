import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { tree } from '@throughline/testkit'
import { runApp } from '../support/app.ts'
import { shopTree } from '../support/kafka-shop.ts'
import { brokers, OMIT } from '../support/kafkajs.ts'

for (const version of ['newest', 'oldest'] as const) {
  for (const format of ['cjs', 'mjs'] as const) {
    test(`an application with the ${version} kafkajs, ${format}, is traced without a word of ours`, async () => {
      const prefix = `app-${randomUUID()}`
      const env = {
        KAFKA_BROKERS: brokers().join(','),
        TOPIC_PREFIX: prefix,
        KAFKAJS_NO_PARTITIONER_WARNING: '1',
      }
      const { spans, stdout } = await runApp({ client: 'kafkajs', version, format, env })
      assert.equal(stdout, 'true 0\nfirst second\n')
      assert.deepEqual(tree(spans, { omit: OMIT }), shopTree(prefix))
    })
  }
}

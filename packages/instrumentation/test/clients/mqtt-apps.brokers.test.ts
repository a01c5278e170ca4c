import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type SpanNode, tree } from '@throughline/testkit'
import { runApp } from '../support/app.ts'
import { mqttUrl, OMIT, PROCESS, PUBLISH, SENT_AT, uniqueTopic } from '../support/mqtt.ts'

/** What the spans of the application are, for its own prefix of topics. */
function journeys(prefix: string): SpanNode[] {
  const [reading, alarm, hello] = [`${prefix}/7/reading`, `${prefix}/alarm`, `${prefix}/hello`]
  const pattern = `${prefix}/+/reading`
  const of = (topic: string, qos: number) => ({
    'messaging.destination.name': topic,
    'messaging.mqtt.qos': qos,
    'messaging.mqtt.retain': false,
  })

  function published(
    topic: string,
    qos: number,
    place: Pick<SpanNode, 'trace' | 'parent' | 'children'>,
  ): SpanNode {
    return {
      name: `publish ${topic}`,
      kind: 'PRODUCER',
      ...place,
      attributes: { ...PUBLISH, ...of(topic, qos) },
    }
  }

  /** The first reading's spans have their names alone, the second's a number too. */
  function journey(qos: 1 | 2): SpanNode {
    const trace = qos + 1
    const label = (name: string) => (qos === 1 ? name : `${name}#2`)
    const sent = label(`publish ${reading}`)
    const passedOn = label(`publish ${alarm}`)
    const heard: SpanNode = {
      name: `process ${alarm}`,
      kind: 'CONSUMER',
      trace,
      parent: passedOn,
      links: [{ to: passedOn }],
      attributes: { ...PROCESS, ...of(alarm, 0), ...SENT_AT },
    }
    const handled: SpanNode = {
      name: `process ${pattern}`,
      kind: 'CONSUMER',
      trace,
      parent: sent,
      links: [{ to: sent }],
      attributes: {
        ...PROCESS,
        ...of(reading, qos),
        'messaging.destination.template': pattern,
        ...SENT_AT,
        'throughline.outcome': 'accept',
      },
      children: [published(alarm, 0, { trace, parent: label(`process ${pattern}`), children: [heard] })],
    }
    return published(reading, qos, { trace, parent: null, children: [handled] })
  }

  return [published(hello, 0, { trace: 1, parent: null }), journey(1), journey(2)]
}

for (const version of ['newest', 'oldest'] as const) {
  for (const format of ['cjs', 'mjs'] as const) {
    test(`an application of MQTT.js, ${version} version, ${format}, is a trace for each reading`, async () => {
      const prefix = uniqueTopic()
      const env = { MQTT_URL: mqttUrl(), TOPIC_PREFIX: prefix }
      const run = await runApp({ client: 'mqtt', version, format, env })
      assert.equal(run.stdout, '10 C,20 C\n')
      assert.equal(run.stderr, '')
      assert.deepEqual(tree(run.spans, { omit: OMIT }), journeys(prefix))
    })
  }
}

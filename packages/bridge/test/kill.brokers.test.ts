import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { headerText, type Message } from '@throughline/core'
import { eventually } from '@throughline/testkit'
import { kafkaBrokers, mqttInbox, mqttUrl, newTopic, post, unique } from './brokers.ts'

const PROCESS = fileURLToPath(new URL('./bridge-process.ts', import.meta.url))
const EVENTS = 500
const SENDERS = 20

/** A bridge in a process of its own, HTTP → Kafka → MQTT in one, ready. */
async function startProcess(t: TestContext, file: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--conditions=@throughline/source', PROCESS, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, KAFKA_BROKERS: kafkaBrokers(), MQTT_URL: mqttUrl() },
  })
  t.after(() => child.kill('SIGKILL'))
  assert.ok(child.stdout)
  const ended = once(child, 'exit').then(([code, signal]) =>
    assert.fail(`the bridge ended with ${code ?? signal}`),
  )
  const [line] = await Promise.race([once(child.stdout, 'data'), ended])
  ended.catch(() => undefined)
  assert.equal(String(line), 'ready\n')
  return child
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  server.close()
  await once(server, 'close')
  assert.ok(typeof bound === 'object' && bound !== null)
  return bound.port
}

async function setting(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'throughline-bridge-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'bridge.yaml')
  const topic = await newTopic('kill', 3)
  const root = unique('kill')
  const port = await freePort()
  await writeFile(
    file,
    `connections:
  web: { type: http, listen: "127.0.0.1:${port}" }
  kafka: { type: kafka, brokers: "$\{KAFKA_BROKERS}" }
  edge: { type: mqtt, url: "$\{MQTT_URL}", clientId: ${unique('edge')} }
routes:
  in: { from: { connection: web, path: /events }, to: { connection: kafka, topic: ${topic}, key: "{{ event.subject }}" } }
  out:
    from: { connection: kafka, topics: ${topic}, group: ${unique('kill')}, sessionTimeout: 6s }
    to: { connection: edge, topic: "${root}/{{ event.subject }}" }
`,
  )
  return { file, url: `http://127.0.0.1:${port}/events`, inbox: await mqttInbox(t, `${root}/#`) }
}

/** Posts with several senders at once; what had no 2xx answer is not asked for again. Resolves to what had one. */
async function postAll(
  url: string,
  wanted: readonly string[],
  onAccepted: (count: number) => void,
): Promise<string[]> {
  const queue = [...wanted]
  const accepted: string[] = []
  async function sender(): Promise<void> {
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
      const status = await post(url, { id, subject: `s${Number(id) % 7}` }).then(
        (response) => response.status,
        () => 0,
      )
      if (status < 200 || status > 299) continue
      accepted.push(id)
      onAccepted(accepted.length)
    }
  }
  await Promise.all(Array.from({ length: SENDERS }, sender))
  return accepted
}

function arrived(inbox: readonly Message[]): Set<string | null> {
  return new Set(inbox.map(({ headers }) => headerText(headers, 'id')))
}

function missing(accepted: readonly string[], inbox: readonly Message[]): string[] {
  const there = arrived(inbox)
  return accepted.filter((id) => !there.has(id))
}

test('kill -9 in the middle of 500 events: every one that was answered 2xx arrives', async (t) => {
  const { file, url, inbox } = await setting(t)
  const first = await startProcess(t, file)
  const wanted = Array.from({ length: EVENTS }, (_, index) => String(index))
  const died = once(first, 'exit')
  const before = await postAll(url, wanted, (count) => {
    if (count === 200) first.kill('SIGKILL')
  })
  const [, signal] = await died
  assert.equal(signal, 'SIGKILL')
  assert.ok(
    before.length >= 200 && before.length < EVENTS,
    `${before.length} of ${EVENTS} were accepted before`,
  )

  await startProcess(t, file)
  const rest = wanted.filter((id) => !before.includes(id))
  const after = await postAll(url, rest, () => undefined)
  assert.equal(after.length, rest.length)
  await eventually(() => assert.deepEqual(missing([...before, ...after], inbox), []), {
    timeoutMs: 60_000,
  })
  t.diagnostic(
    `${before.length} accepted before the kill, ${after.length} after; ${inbox.length} arrived, ${arrived(inbox).size} different`,
  )
})

test('SIGTERM in the middle of events: what was accepted arrives, and the process ends with 0', async (t) => {
  const { file, url, inbox } = await setting(t)
  const child = await startProcess(t, file)
  const ended = once(child, 'exit')
  const wanted = Array.from({ length: EVENTS }, (_, index) => String(index))
  const accepted = await postAll(url, wanted, (count) => {
    if (count === 200) child.kill('SIGTERM')
  })
  assert.deepEqual(await ended, [0, null])
  assert.ok(accepted.length >= 200 && accepted.length < EVENTS, `${accepted.length}`)
  await startProcess(t, file)
  await eventually(() => assert.deepEqual(missing(accepted, inbox), []), {
    timeoutMs: 60_000,
  })
  t.diagnostic(`${accepted.length} accepted; ${inbox.length} arrived, ${arrived(inbox).size} different`)
})

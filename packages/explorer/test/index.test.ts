import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { AddressError, DataDirError, PortTakenError, startExplorer } from '@throughline/explorer'
import { z } from 'zod'
import { openSqliteStore } from '../src/store/sqlite/engine.ts'
import { requestJson, spanId, traceId } from './otlp-json.ts'
import { temporaryExplorer, temporaryFolder } from './temporary.ts'

const json = { 'content-type': 'application/json' }

test('a port that is taken is named in a sentence, and nothing stays behind', async (context) => {
  const blocker = createServer().listen(0, '127.0.0.1')
  context.after(() => blocker.close())
  await once(blocker, 'listening')
  const address = blocker.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const dataDir = temporaryFolder(context)
  for (const options of [{ otlpHttp: `127.0.0.1:${port}` }, { listen: `127.0.0.1:${port}` }]) {
    await assert.rejects(
      startExplorer({ listen: '127.0.0.1:0', otlpHttp: '127.0.0.1:0', dataDir, ...options }),
      (error) =>
        error instanceof PortTakenError &&
        error.code === 'TL_PORT_TAKEN' &&
        error.message.includes(`127.0.0.1:${port}: the port is taken`),
    )
  }
  await (await startExplorer({ listen: '127.0.0.1:0', otlpHttp: '127.0.0.1:0', dataDir })).close()
})

test('an address that other machines reach needs a token', async (context) => {
  const dataDir = temporaryFolder(context)
  for (const listen of ['0.0.0.0:0', '[::]:0', 'example.com:80']) {
    await assert.rejects(
      startExplorer({ listen, otlpHttp: '127.0.0.1:0', dataDir }),
      (error) =>
        error instanceof AddressError &&
        error.code === 'TL_TOKEN_REQUIRED' &&
        /needs a token/.test(error.message),
    )
  }
  await assert.rejects(
    startExplorer({ listen: 'nonsense', dataDir }),
    (error) => error instanceof AddressError && /expected host:port such as/.test(error.message),
  )
  const open = await temporaryExplorer(context, { listen: '0.0.0.0:0', token: 'secret' })
  assert.match(open.url, /^http:\/\/0\.0\.0\.0:\d+$/)
})

test('with a token the API and the receiver want it, the page does not', async (context) => {
  const explorer = await temporaryExplorer(context, { token: 'secret' })
  const authorization = 'Bearer secret'
  assert.equal((await fetch(`${explorer.url}/api/status`)).status, 401)
  assert.equal(
    (await fetch(`${explorer.url}/api/status`, { headers: { authorization: 'Bearer secre' } })).status,
    401,
  )
  assert.equal((await fetch(`${explorer.url}/api/status`, { headers: { authorization } })).status, 200)
  assert.equal((await fetch(`${explorer.url}/`)).status, 200)
  const post = (headers: Record<string, string>) =>
    fetch(`${explorer.otlpUrl}/v1/traces`, { method: 'POST', headers, body: '{}' })
  assert.equal((await post(json)).status, 401)
  assert.equal((await post({ ...json, authorization })).status, 200)
})

test('a second explorer on one folder is refused', async (context) => {
  const dataDir = temporaryFolder(context)
  await temporaryExplorer(context, { dataDir })
  await assert.rejects(
    startExplorer({ listen: '127.0.0.1:0', otlpHttp: '127.0.0.1:0', dataDir }),
    (error) => error instanceof DataDirError && error.code === 'TL_DATA_DIR_LOCKED',
  )
})

test('every span that was answered 200 is there after kill -9 in the middle of the ingest', async (context) => {
  const dataDir = temporaryFolder(context)
  const answered: { trace: string; id: string }[] = []
  for (let round = 1; round <= 3; round++) {
    const { child, otlpUrl } = await startChild(context, dataDir)
    const target = answered.length + 400
    let n = 0
    const exporter = async (worker: number) => {
      for (;;) {
        const ids = Array.from({ length: 20 }, () => ({
          trace: `${round}${worker}`,
          id: `${round}${worker}${String(++n).padStart(6, '0')}`,
        }))
        const body = JSON.stringify(requestJson(ids))
        const answer = await fetch(`${otlpUrl}/v1/traces`, { method: 'POST', headers: json, body }).catch(
          () => null,
        )
        if (answer === null) return
        assert.equal(answer.status, 200)
        answered.push(...ids)
        if (answered.length >= target) child.kill('SIGKILL')
      }
    }
    const gone = once(child, 'exit')
    await Promise.all([1, 2, 3, 4].map(exporter))
    assert.deepEqual(await gone, [null, 'SIGKILL'])
  }
  const store = openSqliteStore({ dataDir, retention: { maxAgeMs: 3_600_000, maxBytes: 2 ** 30 } })
  context.after(() => store.close())
  assert.ok(answered.length >= 1_200)
  const lost = answered.filter(({ trace, id }) => store.bySpan(spanId(id), traceId(trace), 2).length !== 1)
  assert.deepEqual(lost, [])
})

const urls = z.object({ otlpUrl: z.string() })

/** An explorer in a process of its own. */
async function startChild(
  context: TestContext,
  dataDir: string,
): Promise<{ child: ChildProcess; otlpUrl: string }> {
  const script = `
    import { startExplorer } from '@throughline/explorer'
    const explorer = await startExplorer({ listen: '127.0.0.1:0', otlpHttp: '127.0.0.1:0', dataDir: process.argv[1] })
    console.log(JSON.stringify(explorer))`
  const conditions = process.execArgv.filter((option) => option.startsWith('--conditions'))
  const child = spawn(process.execPath, [...conditions, '--input-type=module', '--eval', script, dataDir], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  context.after(() => child.kill('SIGKILL'))
  const [line] = await once(createInterface(child.stdout), 'line')
  return { child, otlpUrl: urls.parse(JSON.parse(String(line))).otlpUrl }
}

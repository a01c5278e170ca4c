import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const script = fileURLToPath(new URL('../../../scripts/brokers.ts', import.meta.url))

/** A RabbitMQ of a test's own, to be stopped on purpose. */
export interface OwnBroker {
  readonly url: string
  /** Ends it by SIGTERM and starts it again with its data; `kill`: by SIGKILL. */
  restart(): Promise<void>
  kill(): Promise<void>
  /** Ends it and forgets its data. */
  stop(): Promise<void>
}

/** Starts one that ends with this process, however that ends. */
export async function startBroker(): Promise<OwnBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'throughline-rabbitmq-'))
  const { AMQP_URL: _url, THROUGHLINE_BROKERS_STATE: _state, ...env } = process.env
  const control = async (...args: string[]) => {
    await promisify(execFile)(process.execPath, [script, ...args, '--dir', folder], { env })
  }
  const child = spawn(process.execPath, [script, 'run', 'rabbitmq', '--json', '--dir', folder], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const [line] = await Promise.race([
    once(child.stdout, 'data'),
    exited.then(() => Promise.reject(new Error('RabbitMQ did not start'))),
  ])
  const { amqp } = JSON.parse(String(line))
  return {
    url: String(amqp),
    restart: () => control('restart', 'rabbitmq'),
    async kill() {
      await control('kill', 'rabbitmq')
      await control('start', 'rabbitmq')
    },
    async stop() {
      child.kill('SIGTERM')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

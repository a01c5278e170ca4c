import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { cacheFolder, repository } from '../bootstrap/paths.mjs'
import { withLock } from '../bootstrap/setup.mjs'
import { addressOf, removeData, startInstance, stopInstance } from './instance.ts'
import { runs, self } from './process.ts'
import { BrokerError, type BrokerName, brokerNames, readState, removeState, writeState } from './state.ts'

export interface BrokersOptions {
  kafka?: boolean
  mosquitto?: boolean
  rabbitmq?: boolean
  /** The folder of their data, logs and state; one of this process's own where it is left out. */
  dir?: string
  /** Keeps the data that is in the folder, and leaves it there on `stop`. */
  keepData?: boolean
}

/** One broker: started here, or named by the environment; the latter cannot be controlled and throws BrokerError. */
export interface BrokerHandle {
  /** The process, as long as it runs; nothing for a broker that the environment names. */
  pid(): number | undefined
  /** Ends it by SIGTERM and starts it again on the same port. */
  restart(): Promise<void>
  /** Ends it by SIGTERM. */
  stop(): Promise<void>
  /** Ends it by SIGKILL. */
  kill(): Promise<void>
  /** Starts it again after `stop` or `kill`. */
  start(): Promise<void>
}

export interface Brokers {
  dir: string
  kafka?: BrokerHandle & { bootstrap: string }
  mqtt?: BrokerHandle & { url: string }
  amqp?: BrokerHandle & { url: string }
  /** Ends all that was started here, and nothing else. */
  stop(): Promise<void>
}

/** Where the brokers of a use ("dev", "demo", …) stand. */
export const runFolder = (use: string): string => join(cacheFolder(), 'run', use)

/**
 * Starts brokers that end with this process, however it ends, and returns when they answer. Those that
 * `KAFKA_BROKERS`, `MQTT_URL` or `AMQP_URL` name are used instead.
 *
 * @throws BrokerError where one does not start, or the folder's brokers belong to another process that runs.
 */
export async function startBrokers(options: BrokersOptions): Promise<Brokers> {
  const dir = resolve(options.dir ?? runFolder(`process-${process.pid}`))
  const { KAFKA_BROKERS: kafka, MQTT_URL: mosquitto, AMQP_URL: rabbitmq } = process.env
  const external = { kafka, mosquitto, rabbitmq }
  const own = brokerNames.filter((name) => options[name] && !external[name])
  if (own.length === 0) return handles(dir, options, external, async () => {})

  await sweep()
  const keepData = options.keepData === true
  await locked(dir, async () => {
    await claim(dir)
    if (!keepData) for (const name of own) removeData(dir, name)
    writeState(dir, { owner: self(), keepData, brokers: readState(dir)?.brokers ?? {} })
  })
  const reaper = startReaper(dir)
  const stop = async () => {
    await stopFolder(dir)
    reaper.kill('SIGKILL')
  }
  try {
    await locked(dir, () => allOf(own.map((name) => startInstance(dir, name))))
  } catch (error) {
    await stop()
    throw error
  }
  return handles(dir, options, external, stop)
}

/** Starts brokers that stay until `stopFolder`; those that run already stay as they are. */
export async function startFolder(dir: string, names: readonly BrokerName[]): Promise<void> {
  await sweep()
  await locked(dir, async () => {
    const state = readState(dir)
    if (state?.owner && !runs(state.owner)) await endAll(dir)
    if (!state?.owner || !runs(state.owner)) {
      writeState(dir, { owner: null, keepData: true, brokers: readState(dir)?.brokers ?? {} })
    }
    await allOf(names.map((name) => startInstance(dir, name)))
  })
}

/** Ends the brokers of a folder, and removes their data where it was not to be kept or `remove` says so. */
export async function stopFolder(dir: string, remove = false): Promise<void> {
  await locked(dir, async () => {
    await endAll(dir)
    const state = readState(dir)
    if (!state) return
    // Their ports stay known, so that the next start takes the same ones.
    if (state.keepData && !remove) return writeState(dir, { ...state, owner: null })
    for (const name of brokerNames) removeData(dir, name)
    removeState(dir)
  })
}

/** What `restart`, `stop`, `kill` and `start` do to one broker of a folder, also to one that another process owns. */
export function controlBroker(dir: string, name: BrokerName): Omit<BrokerHandle, 'pid'> {
  const stop = (signal?: 'SIGKILL') => stopInstance(dir, name, signal)
  const start = async () => void (await startInstance(dir, name))
  return {
    restart: () => locked(dir, () => stop().then(start)),
    stop: () => locked(dir, () => stop()),
    kill: () => locked(dir, () => stop('SIGKILL')),
    start: () => locked(dir, start),
  }
}

/** Ends brokers whose owner is gone; only processes that a state file names and that are still the same ones. */
async function sweep(): Promise<void> {
  const folder = runFolder('')
  if (!existsSync(folder)) return
  for (const name of readdirSync(folder)) {
    try {
      const owner = readState(join(folder, name))?.owner
      if (owner && !runs(owner)) await stopFolder(join(folder, name))
    } catch (error) {
      // Another use's broken folder must not keep this one from starting.
      if (!(error instanceof BrokerError)) throw error
      console.error(error.message)
    }
  }
}

/**
 * A shell that waits for the end of this process (its stdin closes, even by SIGKILL) and then stops the folder's
 * brokers, also those that were restarted by other processes since.
 */
export function startReaper(dir: string, ...options: '--remove'[]): ChildProcess {
  const stop = [join(repository, 'scripts/brokers.ts'), 'stop', '--dir', dir, ...options]
  const script = 'read -r _; exec "$0" "$@"'
  const args = ['-c', script, process.execPath, '--disable-warning=ExperimentalWarning', ...stop]
  const reaper = spawn('/bin/sh', args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  reaper.unref()
  if (reaper.stdin && 'unref' in reaper.stdin && typeof reaper.stdin.unref === 'function')
    reaper.stdin.unref()
  return reaper
}

/** Takes a folder over: what a dead owner left running there ends. */
async function claim(dir: string): Promise<void> {
  const state = readState(dir)
  if (state?.owner && runs(state.owner)) {
    throw new BrokerError(`the brokers of ${dir} belong to process ${state.owner.pid}, which still runs`)
  }
  const running = brokerNames.filter((name) => {
    const known = state?.brokers[name]?.process
    return known && runs(known)
  })
  if (!state?.owner && running.length > 0) {
    const stop = `npm run brokers -- stop --dir ${dir}`
    throw new BrokerError(`${running.join(' and ')} of ${dir} are running already; to stop them: ${stop}`)
  }
  await endAll(dir)
}

async function endAll(dir: string): Promise<void> {
  await allOf(brokerNames.map((name) => stopInstance(dir, name)))
}

/** Like Promise.all, but leaves nothing running behind when it throws. */
async function allOf(work: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

function locked<T>(dir: string, work: () => Promise<T>): Promise<T> {
  return withLock(`brokers-${createHash('sha256').update(resolve(dir)).digest('hex').slice(0, 16)}`, work)
}

function handles(
  dir: string,
  wanted: BrokersOptions,
  external: Record<BrokerName, string | undefined>,
  stop: () => Promise<void>,
): Brokers {
  const handle = (name: BrokerName) => {
    const own = readState(dir)?.brokers[name]
    const address = external[name] ?? (own && addressOf(name, own))
    if (address === undefined) throw new BrokerError(`${name} was not started in ${dir}`)
    const control = external[name] ? externalBroker(address) : controlBroker(dir, name)
    return { address, ...control, pid: () => readState(dir)?.brokers[name]?.process?.pid }
  }
  const brokers: Brokers = { dir, stop }
  if (wanted.kafka) {
    const { address, ...control } = handle('kafka')
    brokers.kafka = { bootstrap: address, ...control }
  }
  if (wanted.mosquitto) {
    const { address, ...control } = handle('mosquitto')
    brokers.mqtt = { url: address, ...control }
  }
  if (wanted.rabbitmq) {
    const { address, ...control } = handle('rabbitmq')
    brokers.amqp = { url: address, ...control }
  }
  return brokers
}

function externalBroker(address: string): Omit<BrokerHandle, 'pid'> {
  const refuse = async () => {
    throw new BrokerError(`the broker at ${address} was named by the environment and was not started here`)
  }
  return { restart: refuse, stop: refuse, kill: refuse, start: refuse }
}

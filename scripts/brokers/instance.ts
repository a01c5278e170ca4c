import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Broker } from './broker.ts'
import { kafka } from './kafka.ts'
import { mosquitto } from './mosquitto.ts'
import { areFree, freePorts } from './ports.ts'
import { end, launch, runs } from './process.ts'
import { rabbitmq } from './rabbitmq.ts'
import { BrokerError, type BrokerName, type BrokerState, readState, writeState } from './state.ts'

const kinds: Record<BrokerName, Broker> = { kafka, mosquitto, rabbitmq }
const readyWithinMs = 90_000

/** Where the broker's clients find it. */
export const addressOf = (name: BrokerName, state: BrokerState): string =>
  kinds[name].address(state.ports[0] ?? 0)

/**
 * Starts one broker of a folder, on the ports that it had last if they are free, and returns when it answers. One that
 * runs already is left as it is. Data that is there stays.
 *
 * @throws BrokerError with the end of its log.
 */
export async function startInstance(dir: string, name: BrokerName): Promise<BrokerState> {
  const before = readState(dir)?.brokers[name]
  if (before?.process && runs(before.process)) return waitUntilReady(dir, name, before)
  const broker = kinds[name]
  if (before) await broker.cleanUp?.(before.ports)
  const home = join(dir, name)
  mkdirSync(home, { recursive: true })
  for (let attempt = 1; ; attempt++) {
    const known = attempt === 1 && before && (await areFree(before.ports)) ? before.ports : undefined
    const ports = known ?? (await freePorts(broker.portCount))
    const state = { process: launch(broker.prepare(home, ports)), ports }
    record(dir, name, state)
    try {
      return await waitUntilReady(dir, name, state)
    } catch (error) {
      await end(state.process, 'SIGKILL')
      await broker.cleanUp?.(ports)
      // Between the look and the start somebody else may have taken a port.
      if (attempt === 3 || (await areFree(ports))) throw error
    }
  }
}

/** Ends one broker of a folder by SIGTERM, or at once by SIGKILL, and returns when it is gone. */
export async function stopInstance(
  dir: string,
  name: BrokerName,
  signal?: 'SIGTERM' | 'SIGKILL',
): Promise<void> {
  const state = readState(dir)?.brokers[name]
  if (!state?.process) return
  await end(state.process, signal)
  await kinds[name].cleanUp?.(state.ports)
  record(dir, name, { process: null, ports: state.ports })
}

/** Forgets the broker's data. */
export function removeData(dir: string, name: BrokerName): void {
  rmSync(join(dir, name), { recursive: true, force: true })
}

async function waitUntilReady(dir: string, name: BrokerName, state: BrokerState): Promise<BrokerState> {
  const broker = kinds[name]
  const deadline = performance.now() + readyWithinMs
  while (performance.now() < deadline) {
    if (await broker.isReady(state.ports[0] ?? 0)) return state
    if (!state.process || !runs(state.process)) throw failure(dir, name, 'ended while it started')
    await sleep(50)
  }
  throw failure(dir, name, `does not answer after ${readyWithinMs / 1000} s`)
}

function failure(dir: string, name: BrokerName, what: string): BrokerError {
  const file = join(dir, name, `${name}.log`)
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-12)
  return new BrokerError(`${kinds[name].title} ${what}; the end of ${file}:\n${lines.join('\n')}`)
}

function record(dir: string, name: BrokerName, broker: BrokerState): void {
  const state = readState(dir) ?? { owner: null, keepData: true, brokers: {} }
  writeState(dir, { ...state, brokers: { ...state.brokers, [name]: broker } })
}

import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const processSchema = z.object({ pid: z.int().positive(), startedAt: z.string() })

const brokerSchema = z.object({
  process: processSchema.nullable().describe('null while it is stopped on purpose'),
  ports: z.array(z.int().min(1).max(65535)),
})

const stateSchema = z.object({
  owner: processSchema.nullable().describe('whose end is theirs too; null: they stay until they are stopped'),
  keepData: z.boolean().default(true).describe('whether their data stays when they are stopped'),
  brokers: z.object({
    kafka: brokerSchema.optional(),
    mosquitto: brokerSchema.optional(),
    rabbitmq: brokerSchema.optional(),
  }),
})

export type ProcessIdentity = z.infer<typeof processSchema>
export type BrokerState = z.infer<typeof brokerSchema>
export type BrokersState = z.infer<typeof stateSchema>
export const brokerNames = ['kafka', 'mosquitto', 'rabbitmq'] as const
export type BrokerName = (typeof brokerNames)[number]

/** The file in which a folder's brokers stand. */
export const stateFile = (dir: string): string => join(dir, 'brokers.json')

/** A broker that did not start, or that cannot be controlled. */
export class BrokerError extends Error {
  readonly code = 'BROKER_FAILED'
}

/**
 * What stands in the folder's state file; nothing where there is none.
 *
 * @throws BrokerError for one that cannot be read: brokers that it names may run, and nobody could stop them.
 */
export function readState(dir: string): BrokersState | undefined {
  const file = stateFile(dir)
  if (!existsSync(file)) return undefined
  try {
    return stateSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new BrokerError(
      `${file} cannot be read (${reason}); end the brokers that run in ${dir}, then remove it`,
    )
  }
}

/** Replaces the state file in one step, so that a reader never sees half of it. */
export function writeState(dir: string, state: BrokersState): void {
  mkdirSync(dir, { recursive: true })
  const draft = `${stateFile(dir)}.${process.pid}`
  writeFileSync(draft, `${JSON.stringify(state, null, 2)}\n`)
  renameSync(draft, stateFile(dir))
}

/** Removes the state file, and the folder where nothing else is in it. */
export function removeState(dir: string): void {
  rmSync(stateFile(dir), { force: true })
  try {
    rmdirSync(dir)
  } catch {
    // Somebody else's files are in it: it stays.
  }
}

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const processSchema = z.object({ pid: z.int().positive(), startedAt: z.string() })

const brokerSchema = z.object({
  process: processSchema.nullable().describe('null while it is stopped on purpose'),
  ports: z.array(z.int().min(1).max(65535)),
})

const stateSchema = z.object({
  owner: processSchema.nullable().describe('whose end is theirs too; null: they stay until they are stopped'),
  brokers: z.object({ kafka: brokerSchema.optional(), mosquitto: brokerSchema.optional() }),
})

export type ProcessIdentity = z.infer<typeof processSchema>
export type BrokerState = z.infer<typeof brokerSchema>
export type BrokersState = z.infer<typeof stateSchema>
export const brokerNames = ['kafka', 'mosquitto'] as const
export type BrokerName = (typeof brokerNames)[number]

/** The file in which a folder's brokers stand. */
export const stateFile = (dir: string): string => join(dir, 'brokers.json')

/** What stands in the folder's state file; an absent or unreadable one is a folder without brokers. */
export function readState(dir: string): BrokersState | undefined {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(stateFile(dir), 'utf8')))
  } catch {
    return undefined
  }
}

/** Replaces the state file in one step, so that a reader never sees half of it. */
export function writeState(dir: string, state: BrokersState): void {
  mkdirSync(dir, { recursive: true })
  const draft = `${stateFile(dir)}.${process.pid}`
  writeFileSync(draft, `${JSON.stringify(state, null, 2)}\n`)
  renameSync(draft, stateFile(dir))
}

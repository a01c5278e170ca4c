import assert from 'node:assert/strict'
import { ConfigError } from '../../src/config/problem.ts'
import { parseConfig } from '../../src/config/read.ts'

/** Connections, and nothing else. */
export const HEAD = `connections:
  web: { type: http, listen: 127.0.0.1:8081 }
  kafka: { type: kafka, brokers: "k1:9092" }
  edge: { type: mqtt, url: "mqtt://localhost:1883", clientId: edge }
`

/** A whole configuration, for a test to spoil. */
export const ROUTE = `${HEAD}routes:
  r:
    from: { connection: web, path: /events }
    to: { connection: kafka, topic: readings }
`

/** A variable as it is written in a configuration. */
export const variable = (name: string) => `$\{${name}}`

/** What is wrong, a line each, without the file's name. */
export function problems(text: string, environment: Record<string, string> = {}): string[] {
  try {
    parseConfig(text, 'b.yaml', environment)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    assert.equal(error.code, 'TL_CONFIG_INVALID')
    return error.message.split('\n').map((line) => line.replace(/^b\.yaml:/, ''))
  }
  return []
}

export function warnings(text: string): string[] {
  return parseConfig(text, 'b.yaml', {}).warnings.map(
    ({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`,
  )
}

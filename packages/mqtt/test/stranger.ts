import { execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { mqttUrl } from './mqtt-url.ts'

/** mosquitto_pub and mosquitto_sub of MQTT 3.1.1, which know nothing of Throughline. */

function address(): string[] {
  const { hostname, port } = new URL(mqttUrl())
  return ['-h', hostname, '-p', port || '1883', '-V', 'mqttv311', '-q', '1']
}

/** Publishes and returns when the broker has confirmed. */
export async function publishAsStranger(topic: string, payload: string, ...options: string[]): Promise<void> {
  await promisify(execFile)('mosquitto_pub', [...address(), ...options, '-t', topic, '-m', payload])
}

/** What arrives, each as `topic payload`; resolves when the broker has confirmed the subscription. */
export async function subscribeAsStranger(t: TestContext, filter: string): Promise<readonly string[]> {
  // With -d it says when it has subscribed; its own lines stand between the messages.
  const child = spawn('stdbuf', ['-oL', 'mosquitto_sub', ...address(), '-d', '-t', filter, '-F', '=%t %p'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.exitCode === null && child.kill('SIGTERM')) await ended
  })
  const lines: string[] = []
  const subscribed = Promise.withResolvers<void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('Subscribed')) subscribed.resolve()
    if (line.startsWith('=')) lines.push(line.slice(1))
  })
  child.on('error', subscribed.reject)
  child.on('exit', (code) => subscribed.reject(new Error(`mosquitto_sub ended with ${code}`)))
  await subscribed.promise
  return lines
}

import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cacheBin } from '../bootstrap/paths.mjs'
import { findRabbitmq } from '../bootstrap/rabbitmq.mjs'
import type { Broker } from './broker.ts'
import { answers, areFree } from './ports.ts'

// AMQP 0-9-1 §4.2.2: the client's first words.
const protocolHeader = Buffer.from([...Buffer.from('AMQP'), 0, 0, 9, 1])
// Erlang's distribution protocol, KILL_REQ: epmd ends unless nodes are registered with it.
const killRequest = Buffer.from([0, 1, ...Buffer.from('k')])

export const rabbitmq: Broker = {
  title: 'RabbitMQ',
  portCount: 3,
  address: (port) => `amqp://127.0.0.1:${port}`,
  prepare(dir, [port = 0, distributionPort = 0, epmdPort = 0]) {
    mkdirSync(dir, { recursive: true })
    const config = join(dir, 'rabbitmq.conf')
    writeFileSync(config, `${settings(port).join('\n')}\n`)
    const plugins = join(dir, 'enabled_plugins')
    writeFileSync(plugins, '[].\n')
    return {
      command: findRabbitmq() ?? 'rabbitmq-server',
      args: [],
      env: {
        PATH: [cacheBin(), process.env.PATH].join(delimiter),
        // The data's folder is named by the node: it must not change with the ports.
        RABBITMQ_NODENAME: 'throughline@localhost',
        RABBITMQ_MNESIA_BASE: join(dir, 'data'),
        RABBITMQ_CONFIG_FILE: config,
        RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
        RABBITMQ_LOG_BASE: dir,
        RABBITMQ_LOGS: '-',
        // None of the system's, where it has RabbitMQ installed.
        RABBITMQ_CONF_ENV_FILE: join(dir, 'none'),
        RABBITMQ_ADVANCED_CONFIG_FILE: join(dir, 'none.config'),
        // The start script then becomes the Erlang VM, so that its process is the broker's.
        RABBITMQ_ALLOW_INPUT: '1',
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-noinput -kernel inet_dist_use_interface {127,0,0,1}',
        RABBITMQ_DIST_PORT: String(distributionPort),
        ERL_EPMD_PORT: String(epmdPort),
        ERL_EPMD_ADDRESS: '127.0.0.1',
        ERL_CRASH_DUMP: join(dir, 'erl_crash.dump'),
        // Erlang keeps a cookie there, which only its owner may read.
        HOME: dir,
      },
      logFile: join(dir, 'rabbitmq.log'),
    }
  },
  // connection.start: a method frame of channel 0, class 10, method 10.
  isReady: (port) =>
    answers(port, protocolHeader, (bytes) => bytes.length >= 11 && bytes[0] === 1 && bytes[8] === 10),
  cleanUp: ([, , epmdPort = 0]) => endEpmd(epmdPort),
}

const settings = (port: number) => [
  `listeners.tcp.1 = 127.0.0.1:${port}`,
  'log.console = true',
  'log.console.level = info',
  // A nearly full disk would otherwise block all publishers without a word to them.
  'disk_free_limit.absolute = 20MB',
]

/**
 * Erlang starts its name server (epmd) as a daemon, which outlives the broker. It ends when asked, as soon as it has
 * noticed that the broker is gone.
 */
async function endEpmd(port: number): Promise<void> {
  const deadline = performance.now() + 5000
  while (!(await areFree([port])) && performance.now() < deadline) {
    await answers(port, killRequest, () => true)
    await sleep(20)
  }
}

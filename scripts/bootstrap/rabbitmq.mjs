import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isExecutable, run, which } from './command.mjs'
import { aptUnpack, hasApt } from './debian.mjs'
import { cacheBin } from './paths.mjs'
import { SetupError } from './setup.mjs'

/**
 * RabbitMQ's own start script: the one that set-up unpacked, the system's or Homebrew's. Not the one on PATH, which on
 * Debian becomes the user `rabbitmq`, who may not write into folders of this user's.
 */
export function findRabbitmq() {
  const folders = [
    cacheBin(),
    '/usr/lib/rabbitmq/bin',
    '/opt/homebrew/opt/rabbitmq/sbin',
    '/usr/local/opt/rabbitmq/sbin',
  ]
  return folders.map((folder) => join(folder, 'rabbitmq-server')).find(isExecutable)
}

/** @type {import('./setup.mjs').Thing} */
export const rabbitmq = {
  title: 'RabbitMQ',
  needs: [],
  present: findRabbitmq,
  async provide() {
    if (hasApt()) {
      const commands = {
        erl: 'usr/lib/erlang/bin/erl',
        'rabbitmq-server': 'usr/lib/rabbitmq/bin/rabbitmq-server',
      }
      return aptUnpack('rabbitmq', ['rabbitmq-server', ...erlang], commands, moveErlang)
    }
    if (which('brew')) {
      await run('brew', ['install', 'rabbitmq'])
      return 'by Homebrew'
    }
    const fix =
      'install RabbitMQ 3.9 or newer, or set AMQP_URL to a broker that runs (docker compose up -d --wait starts one)'
    throw new SetupError('RabbitMQ, the AMQP broker', 'neither apt-get nor Homebrew is here', fix)
  },
}

/** All parts by name, so that none is taken from a system that has some of them: Erlang looks for them in one folder. */
const erlang = [
  'base',
  'asn1',
  'crypto',
  'eldap',
  'ftp',
  'inets',
  'mnesia',
  'os-mon',
  'parsetools',
  'public-key',
  'runtime-tools',
  'snmp',
  'ssl',
  'syntax-tools',
  'tftp',
  'tools',
  'xmerl',
].map((part) => `erlang-${part}`)

/**
 * Debian's `erl` has the folder of an installed Erlang in it.
 *
 * @param {string} root The unpacked tree.
 * @param {string} home Where it will stand.
 */
function moveErlang(root, home) {
  const folder = join(root, 'usr/lib/erlang')
  const runtimes = readdirSync(folder).filter((name) => name.startsWith('erts-'))
  for (const script of ['bin/erl', ...runtimes.map((name) => `${name}/bin/erl`)]) {
    const file = join(folder, script)
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replaceAll('=/usr/lib/erlang', `='${home}/usr/lib/erlang'`),
    )
  }
}

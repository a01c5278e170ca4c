import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { which } from '../bootstrap/command.mjs'
import { repository } from '../bootstrap/paths.mjs'
import { areFree } from '../brokers/ports.ts'
import { runs, self } from '../brokers/process.ts'
import { startReaper } from '../brokers/set.ts'
import { readState, stateFile, writeState } from '../brokers/state.ts'
import { createTopics } from '../brokers/topics.ts'

const execute = promisify(execFile)
const script = join(repository, 'scripts/brokers.ts')
const {
  KAFKA_BROKERS: _kafka,
  MQTT_URL: _mqtt,
  AMQP_URL: _amqp,
  THROUGHLINE_BROKERS_STATE: _state,
  ...env
} = process.env

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'throughline-brokers-'))
  // Where this process is killed, nobody else would stop what `start` leaves running.
  startReaper(dirOf('one'), '--remove')
})
after(async () => {
  for (const name of readdirSync(folder)) await brokers('stop', name, '--remove')
  rmSync(folder, { recursive: true })
})

function dirOf(name: string): string {
  return join(folder, name)
}

async function brokers(command: string, name: string, ...args: string[]): Promise<string> {
  const { stdout } = await execute(process.execPath, [script, command, '--dir', dirOf(name), ...args], {
    env,
  })
  return stdout
}

/** Starts `brokers run`, whose brokers end with it, and waits until it says where they are. */
async function runOwner(
  name: string,
  extra: Record<string, string> = {},
): Promise<{ child: ChildProcess; line: string }> {
  const args = [script, 'run', '--json', '--dir', dirOf(name)]
  const child = spawn(process.execPath, args, {
    env: { ...env, ...extra },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let line = ''
  for await (const chunk of child.stdout ?? []) {
    line += String(chunk)
    if (line.endsWith('\n')) break
  }
  return { child, line }
}

function stateOf(name: string) {
  const { kafka, mosquitto, rabbitmq } = readState(dirOf(name))?.brokers ?? {}
  assert.ok(
    kafka?.process && mosquitto?.process && rabbitmq?.process,
    `no brokers stand in ${stateFile(dirOf(name))}`,
  )
  return {
    kafka,
    mosquitto,
    rabbitmq,
    processes: [kafka.process, mosquitto.process, rabbitmq.process],
    ports: [...kafka.ports, ...mosquitto.ports, ...rabbitmq.ports],
  }
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await condition()) return
    await pause(50)
  }
  assert.fail(`still not so after 30 s: ${what}`)
}

/** Sockets that are listened on, from the kernel's own tables (proc(5)). */
function listeningSockets(): { address: string; port: number; inode: string }[] {
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === '0A')
      .map(([, local = '', , , , , , , , inode = '']) => {
        const [address = '', port = ''] = local.split(':')
        return { address, port: Number.parseInt(port, 16), inode }
      }),
  )
}

function inodesOf(pid: number): Set<string> {
  return new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap(
      (fd) => /socket:\[(\d+)\]/.exec(targetOf(`/proc/${pid}/fd/${fd}`))?.[1] ?? [],
    ),
  )
}

/** A broker that runs may have closed a file since it was listed. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}

test('brokers that are started listen on the ports they name, on loopback alone, and on none once they are stopped', async () => {
  await brokers('start', 'one')
  const { processes, ports } = stateOf('one')
  if (process.platform === 'linux') {
    const inodes = processes.map(({ pid }) => inodesOf(pid))
    const sockets = listeningSockets()
    const own = sockets.filter(({ inode }) => inodes.some((held) => held.has(inode)))
    // RabbitMQ's name server is a process of its own, on a port that it names too.
    const named = sockets.filter(({ port }) => ports.includes(port))
    assert.deepEqual(new Set([...own, ...named].map(({ port }) => port)), new Set(ports))
    // 127.0.0.1 as the kernel writes it, by itself or mapped into IPv6, and ::1.
    for (const { address } of [...own, ...named]) {
      assert.match(address, /^((0{16}FFFF0000)?0100007F|0{24}01000000)$/)
    }
  }
  await brokers('stop', 'one')
  assert.equal(await areFree(ports), true)
  assert.deepEqual(processes.filter(runs), [])
})

test('what was stored is there after a stop and a start, on the same ports', async () => {
  await brokers('start', 'one')
  const { ports, kafka, mosquitto } = stateOf('one')
  const bootstrap = `127.0.0.1:${kafka.ports[0]}`
  await createTopics(bootstrap, [{ name: 'kept', partitions: 3 }])
  const mqtt = ['-h', '127.0.0.1', '-p', String(mosquitto.ports[0]), '-t', 'kept', '-q', '1']
  await execute(which('mosquitto_pub') ?? 'mosquitto_pub', [...mqtt, '-r', '-m', 'retained'])
  await brokers('stop', 'one')
  await brokers('start', 'one')
  assert.deepEqual(stateOf('one').ports, ports)
  const listed = await execute(which('kcat') ?? 'kcat', ['-b', bootstrap, '-L', '-t', 'kept'])
  assert.match(listed.stdout, /topic "kept" with 3 partitions/)
  const got = await execute(which('mosquitto_sub') ?? 'mosquitto_sub', [...mqtt, '-C', '1', '-W', '20'])
  assert.equal(got.stdout.trim(), 'retained')
})

test('starting again leaves brokers that run as they are', async () => {
  await brokers('start', 'one')
  const before = stateOf('one')
  await brokers('start', 'one')
  assert.deepEqual(stateOf('one'), before)
})

test('RabbitMQ leaves nothing running when it was killed, and starts on the same ports with what was stored', async () => {
  await brokers('start', 'one')
  const before = stateOf('one').rabbitmq
  await brokers('kill', 'one', 'rabbitmq')
  assert.equal(await areFree(before.ports), true)
  const data = readdirSync(join(dirOf('one'), 'rabbitmq', 'data'))
  await brokers('start', 'one', 'rabbitmq')
  const now = stateOf('one').rabbitmq
  assert.deepEqual(now.ports, before.ports)
  assert.deepEqual(readdirSync(join(dirOf('one'), 'rabbitmq', 'data')), data)
})

test('one broker is restarted on its port, and the other one is left alone', async () => {
  await brokers('start', 'one')
  const before = stateOf('one')
  await brokers('restart', 'one', 'mosquitto')
  const now = stateOf('one')
  assert.deepEqual(now.kafka, before.kafka)
  assert.deepEqual(now.ports, before.ports)
  assert.notDeepEqual(now.mosquitto.process, before.mosquitto.process)
})

test('a broker that was killed starts again', async () => {
  await brokers('start', 'one')
  await brokers('kill', 'one', 'kafka')
  await assert.rejects(brokers('status', 'one'), /Command failed/)
  await brokers('start', 'one', 'kafka')
  assert.match(await brokers('status', 'one'), /kafka +runs at 127/)
})

test('brokers of a run end with it, even where it is killed and one of them was restarted by others', async () => {
  const { child } = await runOwner('killed')
  await brokers('restart', 'killed', 'mosquitto')
  const { processes, ports } = stateOf('killed')
  assert.equal(processes.every(runs), true)
  child.kill('SIGKILL')
  await until(() => !processes.some(runs), 'the brokers are gone')
  await until(() => areFree(ports), 'their ports are free')
  await until(() => !readdirSync(folder).includes('killed'), 'their folder is gone')
})

test('a run that is told to end stops its brokers and ends by itself', async () => {
  const { child, line } = await runOwner('ended')
  const { processes, kafka } = stateOf('ended')
  assert.equal(JSON.parse(line).kafka, `127.0.0.1:${kafka.ports[0]}`)
  const code = new Promise((done) => child.on('exit', done))
  child.kill('SIGINT')
  assert.equal(await code, 0)
  assert.deepEqual(processes.filter(runs), [])
})

test('a folder whose brokers belong to a process that runs is not taken over', async () => {
  writeState(dirOf('taken'), { owner: self(), keepData: false, brokers: {} })
  await assert.rejects(
    brokers('run', 'taken'),
    new RegExp(`belong to process ${process.pid}, which still runs`),
  )
})

test('a process that was given the id of a broker of old is not ended', async () => {
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  try {
    const broker = { process: { pid: other.pid ?? 0, startedAt: 'before' }, ports: [1] }
    writeState(dirOf('stale'), {
      owner: { pid: other.pid ?? 0, startedAt: 'before' },
      keepData: false,
      brokers: { kafka: broker },
    })
    await brokers('stop', 'stale')
    assert.equal(other.signalCode, null)
    process.kill(other.pid ?? 0, 0)
  } finally {
    other.kill('SIGKILL')
  }
})

test('brokers that the environment names are used and none are started', async () => {
  const named = {
    KAFKA_BROKERS: 'kafka.example:9092',
    MQTT_URL: 'mqtt://mqtt.example',
    AMQP_URL: 'amqp://amqp.example',
  }
  const { child, line } = await runOwner('named', named)
  child.kill('SIGTERM')
  const { state: _state, ...addresses } = JSON.parse(line)
  assert.deepEqual(addresses, { kafka: named.KAFKA_BROKERS, mqtt: named.MQTT_URL, amqp: named.AMQP_URL })
  assert.equal(readdirSync(folder).includes('named'), false)
})

test('a state file that cannot be read is named, and nothing is started beside it', async () => {
  writeState(dirOf('broken'), { owner: null, keepData: true, brokers: {} })
  writeFileSync(stateFile(dirOf('broken')), '{"half":')
  await assert.rejects(brokers('start', 'broken'), /brokers\.json cannot be read/)
  rmSync(dirOf('broken'), { recursive: true })
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addressOf } from '../../../scripts/brokers/instance.ts'
import { controlBroker, startFolder, startReaper, stopFolder } from '../../../scripts/brokers/set.ts'
import { type BrokerName, readState } from '../../../scripts/brokers/state.ts'

/** A broker of this test's own, to be restarted and killed: that of the test run is shared with other tests. */
export async function ownBroker(name: BrokerName) {
  const dir = await mkdtemp(join(tmpdir(), 'throughline-conformance-'))
  const reaper = startReaper(dir, '--remove')
  await startFolder(dir, [name])
  const broker = readState(dir)?.brokers[name]
  if (broker === undefined) throw new Error(`${name} is not in the state file of ${dir}`)
  const { restart, kill, start } = controlBroker(dir, name)
  return {
    /** As its clients are given it: `host:port`, `mqtt://host:port`. */
    address: addressOf(name, broker),
    restart,
    kill,
    start,
    async [Symbol.asyncDispose]() {
      await stopFolder(dir, true)
      reaper.kill('SIGKILL')
      await rm(dir, { recursive: true, force: true })
    },
  }
}

// A bridge in a process of its own, for tests that kill it: `node bridge-process.ts FILE`. Prints one line when all routes are ready.
import { setTimeout as delay } from 'node:timers/promises'
import { startBridge } from '../src/bridge.ts'
import { loadConfig } from '../src/config/load.ts'

const bridge = await startBridge(await loadConfig(process.argv[2] ?? ''))
process.once('SIGTERM', () => void bridge.close())
bridge.closed.then(
  () => process.exit(0),
  () => process.exit(1),
)
while (!bridge.routes().every((route) => route.ready)) await delay(20)
console.log('ready')

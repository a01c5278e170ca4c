import { isMainThread, Worker } from 'node:worker_threads'

// Preloaded into each test file's process, as `deadline.ts?seconds=180`: ends the process when that time is over, and
// keeps none alive. node:test's own `timeout` is a test's, kept by the thread that the test may block, and its signal
// is a SIGTERM that the process may ignore: neither ends a file that leaves a timer behind. Hence a thread, and SIGKILL.
if (isMainThread) {
  const seconds = Number(new URL(import.meta.url).searchParams.get('seconds'))
  const end = `setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${seconds * 1000})`
  new Worker(end, { eval: true, execArgv: [] }).unref()
}

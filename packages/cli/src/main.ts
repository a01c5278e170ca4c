import { run } from './program.ts'

// Not process.exit: what has been written to a pipe must still go out.
process.exitCode = await run(process.argv.slice(2))

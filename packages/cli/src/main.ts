import { run } from './program.ts'

// Whoever reads the output may have seen enough (`| head`): that ends no command, and is no error of it.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

// Not process.exit: what has been written to a pipe must still go out.
process.exitCode = await run(process.argv.slice(2))

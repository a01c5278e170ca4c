import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { addBridge } from './commands/bridge.ts'
import { addDemo } from './commands/demo.ts'
import { addExplorer } from './commands/explorer.ts'
import { addJourney } from './commands/journey.ts'
import { addSend } from './commands/send.ts'
import { addTail } from './commands/tail.ts'
import { addValidate } from './commands/validate.ts'
import { visibleLines } from './escape.ts'
import { describe, exitCodeOf, exitCodes } from './failure.ts'

/** What a command ends with; the same for all of them. */
export type Finish = (exitCode: number) => void

const help = `
Exit codes:
  0    it did what was asked; for a server: it was told to end and ended in order
  1    it failed while running: a broker away, a port taken, a disk full
  2    it was asked for something it cannot do: an option, an address or a configuration file is wrong
  3    there is no journey of that id
  128+ it was told to end twice, and ended at once

Environment:
  THROUGHLINE_EXPLORER   where "journey" and "send" find the explorer (default http://127.0.0.1:4319)
  THROUGHLINE_DEBUG      1: errors come with their stack
  OTEL_…                 where "bridge" and "send" export their spans; see throughline bridge --help

Start here:
  throughline demo                                 real brokers, five services and the explorer, on this machine
  throughline explorer                             an explorer for your own services' OTLP
  throughline journey 6f1c8a52                     everything that happened to one event
  throughline tail kafka://localhost:9092/orders   what comes to a topic, with its trace context
`

/**
 * Runs the command line given (without the program's own name) and resolves to its exit code, after printing what a
 * user is to know. Never throws.
 */
export async function run(args: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.ok
  const finish: Finish = (code) => {
    exitCode = code
  }
  try {
    await program(finish).parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    // Commander has printed its own already, and --help and --version end by such an error as well.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    // Errors quote brokers, servers and files.
    process.stderr.write(`${visibleLines(describe(error))}\n`)
    return exitCodeOf(error)
  }
}

function program(finish: Finish): Command {
  const root = new Command('throughline')
    .description('Follow one event through HTTP, Kafka, MQTT and RabbitMQ as one OpenTelemetry trace.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help of a command')
    .addHelpText('after', help)
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'throughline: ')) })
  for (const add of [addDemo, addExplorer, addJourney, addSend, addTail, addBridge, addValidate])
    add(root, finish)
  for (const command of root.commands)
    command.showHelpAfterError(`throughline ${command.name()} --help says more`)
  return root
}

function version(): string {
  const manifest: unknown = createRequire(import.meta.url)('../package.json')
  const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return known ? String(manifest.version) : 'unknown'
}

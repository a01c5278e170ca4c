import { join } from 'node:path'
import type { Command } from 'commander'
import { cloneRoot } from '../clone.ts'
import { CommandError, exitCodes } from '../failure.ts'
import { functionOf } from '../module.ts'
import type { Finish } from '../program.ts'

/**
 * `throughline demo`: the brokers it needs are set up by the repository's own scripts, so it runs in a clone alone. Its
 * options and their help are theirs.
 */
export function addDemo(root: Command, finish: Finish): void {
  root
    .command('demo')
    .description('start brokers, an explorer and the services of examples/sensors, and follow an event')
    .usage('[options]')
    .argument('[options...]', 'those that "throughline demo --help" names')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (args: readonly string[]) => {
      const root = cloneRoot()
      if (root === null) {
        throw new CommandError(
          'TL_DEMO_NEEDS_CLONE',
          "the demo starts brokers of its own, which only a clone of Throughline's repository can set up: clone it and run npm run demo there",
          exitCodes.usage,
        )
      }
      const demo = await functionOf(join(root, 'scripts/demo.ts'), 'demo')
      finish(Number(await demo(args)))
    })
}

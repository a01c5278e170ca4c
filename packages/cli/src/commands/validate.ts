import type { Command } from 'commander'
import { CommandError, exitCodes } from '../failure.ts'
import type { Finish } from '../program.ts'

const help = `
Nothing is connected to and nothing is started. Errors name file, line and column, what was expected and the nearest
valid name; warnings say where a configuration promises what a transport cannot keep. Variables (\${NAME}) are read
from the environment, as "bridge" will read them.

Examples:
  throughline validate bridge.yaml
  throughline validate --schema > bridge.schema.json      for editors: # yaml-language-server: $schema=./bridge.schema.json
`

interface Options {
  readonly schema?: true
}

/** `throughline validate FILE | --schema` */
export function addValidate(root: Command, finish: Finish): void {
  root
    .command('validate')
    .description("check a bridge's configuration file, or print the JSON Schema of such files")
    .argument('[file]', 'the configuration file (YAML)')
    .option('--schema', 'print the JSON Schema of configuration files')
    .addHelpText('after', help)
    .action(async (file: string | undefined, { schema }: Options) => {
      const { configSchema, loadConfig, problemText } = await import('@throughline/bridge')
      if (schema) process.stdout.write(`${JSON.stringify(configSchema(), null, 2)}\n`)
      if (schema && file === undefined) return
      if (file === undefined)
        throw new CommandError('TL_USAGE', 'validate needs a file, or --schema', exitCodes.usage)
      const { routes, warnings } = await loadConfig(file)
      for (const warning of warnings) process.stderr.write(`warning: ${problemText(file, warning)}\n`)
      const names = routes.map(({ name }) => name).join(', ')
      process.stderr.write(
        `${file} is valid: ${routes.length} ${routes.length === 1 ? 'route' : 'routes'} (${names})\n`,
      )
      finish(exitCodes.ok)
    })
}

import { type Command, Option } from 'commander'
import { fetchJourney } from '../client.ts'
import { visibleJson, visibleLines } from '../escape.ts'
import { CommandError, exitCodes } from '../failure.ts'
import type { Finish } from '../program.ts'
import { readToken } from '../token.ts'

const help = `
The text has a line for each hop: transport, who sent to whom, destination, and how long the message waited or the call
took; then the times in sum, the spans of each service, and what is missing with its cause.

--json prints one line:
  {"eventId","traceId","hops":[{"transport","destination","from","to","queueMs"}],"spans","services","missing"}
"missing" is empty when the journey is whole; queueMs is null where an end is not known.

Examples:
  throughline journey 6f1c8a52-41f5-4e8e-9f0b-2f1f2b6f7d11
  throughline journey 4bf92f3577b34da6a3ce929d0e0e4736 --json | jq .missing

Exit codes: 0 printed, whole or not; 1 no explorer answers; 3 it knows of nothing with this id
`

interface Options {
  readonly json?: true
  readonly explorer: string
  readonly tokenFile?: string
}

/** `throughline journey ID` */
export function addJourney(root: Command, finish: Finish): void {
  root
    .command('journey')
    .description('print everything that happened to one event')
    .argument('<id>', 'id of an event, a trace (32 hex digits) or a span (16)')
    .option('--json', 'print it as one line of JSON')
    .addOption(
      new Option('--explorer <url>', 'the explorer to ask')
        .default('http://127.0.0.1:4319')
        .env('THROUGHLINE_EXPLORER'),
    )
    .addOption(
      new Option('--token-file <file>', 'file with the token that it asks for').env('THROUGHLINE_TOKEN_FILE'),
    )
    .addHelpText('after', help)
    .action(async (id: string, { json, explorer, tokenFile }: Options) => {
      const token = tokenFile === undefined ? {} : { token: readToken(tokenFile) }
      const journey = await fetchJourney({ url: explorer, ...token }, id)
      if (journey === null)
        throw new CommandError(
          'TL_JOURNEY_NOT_FOUND',
          `the explorer at ${explorer} knows of no event, trace or span ${JSON.stringify(id)}: it may not have been exported yet, or be older than what is kept`,
          exitCodes.notFound,
        )
      const { renderJourneyText, toJourneyJson } = await import('@throughline/explorer')
      const text = json
        ? visibleJson(JSON.stringify(toJourneyJson(journey)))
        : visibleLines(renderJourneyText(journey))
      process.stdout.write(`${text}\n`)
      finish(exitCodes.ok)
    })
}

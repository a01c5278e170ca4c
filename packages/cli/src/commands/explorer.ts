import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import { exitCodes } from '../failure.ts'
import { pageFolder } from '../page.ts'
import type { Finish } from '../program.ts'
import { parseBytes, parseDuration } from '../quantity.ts'
import { interrupted } from '../signals.ts'
import { readToken } from '../token.ts'

const help = `
Services export to it with OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 and OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
(or http/json). SIGINT and SIGTERM end it in order: what was answered OK is kept.

It listens on this machine alone unless it has a token, which page, API and OTLP then ask for
(OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer <token>").

Examples:
  throughline explorer
  throughline explorer --listen 127.0.0.1:0 --data ./spans --retention-age 12h --retention-bytes 500MB
  throughline explorer --listen 0.0.0.0:4319 --otlp-http 0.0.0.0:4318 --token-file /run/secrets/throughline
`

interface Options {
  readonly listen: string
  readonly otlpHttp: string
  readonly data: string
  readonly retentionAge?: number
  readonly retentionBytes?: number
  readonly tokenFile?: string
}

/** `throughline explorer` */
export function addExplorer(root: Command, finish: Finish): void {
  root
    .command('explorer')
    .description('receive OTLP, keep it on disk and show one journey per event')
    .option('--listen <host:port>', 'page and API; port 0 takes a free one', '127.0.0.1:4319')
    .option('--otlp-http <host:port>', 'OTLP over HTTP: protobuf and JSON', '127.0.0.1:4318')
    .option('--data <dir>', 'where spans are kept', defaultDataDir())
    .option('--retention-age <duration>', 'how long they are kept, e.g. 12h, 7d (default: 7d)', parseDuration)
    .option('--retention-bytes <size>', 'how much of them, e.g. 500MB, 10GB (default: 2GiB)', parseBytes)
    .addOption(
      new Option('--token-file <file>', 'file with the token that is asked for').env(
        'THROUGHLINE_TOKEN_FILE',
      ),
    )
    .addHelpText('after', help)
    .action(async (options: Options) => {
      await serve(options)
      finish(exitCodes.ok)
    })
}

async function serve({ listen, otlpHttp, data, retentionAge, retentionBytes, tokenFile }: Options) {
  const log = (message: string) => void process.stderr.write(`explorer: ${message}\n`)
  const token = tokenFile === undefined ? undefined : readToken(tokenFile)
  const end = interrupted()
  const [{ startExplorer }, uiDir] = await Promise.all([import('@throughline/explorer'), pageFolder(log)])
  const explorer = await startExplorer({
    listen,
    otlpHttp,
    dataDir: data,
    retention: {
      ...(retentionAge === undefined ? {} : { maxAgeMs: retentionAge }),
      ...(retentionBytes === undefined ? {} : { maxBytes: retentionBytes }),
    },
    ...(token === undefined ? {} : { token }),
    ...(uiDir === null ? {} : { uiDir }),
    log,
  })
  process.stdout.write(`explorer   ${explorer.url}\nOTLP/HTTP  ${explorer.otlpUrl}\nspans in   ${data}\n`)
  await end
  await explorer.close()
}

/** By the XDG Base Directory Specification. */
function defaultDataDir(): string {
  return join(process.env.XDG_DATA_HOME || join(homedir(), '.local/share'), 'throughline')
}

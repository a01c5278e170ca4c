import { type ClientName, clientNames, type InstrumentationsOptions } from '../all.ts'
import { warnOnce } from '../guard.ts'

const PREFIX = 'THROUGHLINE_INSTRUMENTATION_'

/** What `register` is told by variables, by their names without `THROUGHLINE_INSTRUMENTATION_`. */
const VARIABLES = ['DISABLED', 'IGNORE', 'LINKAGE', 'PROPAGATE', 'TRUST'] as const

/**
 * Options of the instrumentations from the environment, and the clients that are left alone: `kafkajs,mqtt` or `all`. A
 * value that is wrong is warned of and counts as none.
 */
export function readEnvironment(environment: NodeJS.ProcessEnv): {
  readonly disabled: ReadonlySet<ClientName>
  readonly options: InstrumentationsOptions
} {
  for (const name of Object.keys(environment)) {
    if (!name.startsWith(PREFIX) || VARIABLES.some((known) => name === PREFIX + known)) continue
    warnOnce(`${name} is not known. There are ${VARIABLES.map((known) => PREFIX + known).join(', ')}`)
  }
  const read = (name: (typeof VARIABLES)[number]) => environment[PREFIX + name]?.trim() ?? ''

  function list(name: (typeof VARIABLES)[number]): string[] {
    return read(name)
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
  }

  function oneOf<const Value extends string>(
    name: (typeof VARIABLES)[number],
    values: readonly Value[],
  ): Value | undefined {
    const text = read(name)
    const value = values.find((each) => each === text)
    if (value === undefined && text !== '') {
      warnOnce(`${PREFIX}${name}=${text} is not known: it is one of ${values.join(', ')}`)
    }
    return value
  }

  const disabled = new Set<ClientName>()
  for (const item of list('DISABLED')) {
    const named = clientNames.filter((name) => item === 'all' || item === name)
    for (const name of named) disabled.add(name)
    if (named.length === 0) {
      warnOnce(
        `${PREFIX}DISABLED names ${item}, which is no client. There are ${clientNames.join(', ')}, or all`,
      )
    }
  }
  const ignore = list('IGNORE')
  const linkage = oneOf('LINKAGE', ['parent', 'link'])
  const propagate = oneOf('PROPAGATE', ['all', 'trace', 'none'])
  const trust = oneOf('TRUST', ['continue', 'link', 'ignore'])
  return {
    disabled,
    options: {
      ...(ignore.length === 0 ? {} : { ignore }),
      ...(linkage === undefined ? {} : { linkage }),
      ...(propagate === undefined ? {} : { propagate }),
      ...(trust === undefined ? {} : { trust }),
    },
  }
}

import type { Position } from '@throughline/core'

/** What the filters that a client has subscribed to tell of a topic. */
export interface TopicPlace {
  /** The filter with wildcards that brings its messages, where there is exactly one and none names the topic in full. */
  readonly position: Pick<Position, 'pattern' | 'unbounded'>
  /** The share, where that filter is a shared one. */
  readonly group: string | undefined
}

/** The filters that a client has subscribed to, in this process. */
export interface TopicFilters {
  add(filters: readonly string[]): void
  remove(filters: readonly string[]): void
  placeOf(topic: string): TopicPlace
}

const UNKNOWN: TopicPlace = { position: { unbounded: true }, group: undefined }

interface Filter {
  /** Its subscriptions, as they were given, with their shares. */
  readonly groups: Map<string, string | undefined>
  readonly hasWildcards: boolean
}

/** Filters with wildcards, by their levels: a client may have thousands, and few of them may match a topic. */
interface Level {
  readonly next: Map<string, Level>
  /** The one that ends here. */
  filter: string | undefined
}

export function createTopicFilters(): TopicFilters {
  /** By filters without the names of their shares. */
  const filters = new Map<string, Filter>()
  const root = level()

  function add(given: string): void {
    const { text, group } = parse(given)
    let filter = filters.get(text)
    if (filter === undefined) {
      filter = { groups: new Map(), hasWildcards: /[+#]/.test(text) }
      filters.set(text, filter)
      if (filter.hasWildcards) put(root, text)
    }
    filter.groups.set(given, group)
  }

  function remove(given: string): void {
    const { text } = parse(given)
    const filter = filters.get(text)
    if (filter === undefined || !filter.groups.delete(given) || filter.groups.size > 0) return
    filters.delete(text)
    if (filter.hasWildcards) take(root, text.split('/'), 0)
  }

  function groupOf(text: string): string | undefined {
    return filters.get(text)?.groups.values().next().value
  }

  return {
    add: (given) => given.forEach(add),
    remove: (given) => given.forEach(remove),
    placeOf(topic) {
      if (filters.has(topic)) return { position: {}, group: groupOf(topic) }
      if (root.next.size === 0) return UNKNOWN
      const [pattern, ...more] = matching(root, topic)
      if (pattern === undefined || more.length > 0) return UNKNOWN
      return { position: { pattern }, group: groupOf(pattern) }
    },
  }
}

/** `$share/{group}/{filter}` is shared between the clients of the group (MQTT 5 §4.8.2). */
function parse(given: string): { readonly text: string; readonly group: string | undefined } {
  const [, group, filter] = /^\$share\/([^/]+)\/(.*)$/.exec(given) ?? []
  return { text: filter ?? given, group }
}

function level(): Level {
  return { next: new Map(), filter: undefined }
}

function put(root: Level, text: string): void {
  let at = root
  for (const name of text.split('/')) {
    let next = at.next.get(name)
    if (next === undefined) {
      next = level()
      at.next.set(name, next)
    }
    at = next
  }
  at.filter = text
}

/** Whether nothing is left of the level. */
function take(at: Level, names: readonly string[], index: number): boolean {
  const name = names[index]
  if (name === undefined) at.filter = undefined
  else {
    const next = at.next.get(name)
    if (next !== undefined && take(next, names, index + 1)) at.next.delete(name)
  }
  return at.filter === undefined && at.next.size === 0
}

/** The filters to which a topic's messages are sent (MQTT 5 §4.7). */
function matching(root: Level, topic: string): string[] {
  const names = topic.split('/')
  // §4.7.2: a leading wildcard does not match the broker's own topics.
  const isBrokers = topic.startsWith('$')
  const found: string[] = []
  const note = (at: Level | undefined) => {
    if (at?.filter !== undefined) found.push(at.filter)
  }

  function follow(at: Level | undefined, index: number): void {
    if (at === undefined) return
    const name = names[index]
    const isWild = index > 0 || !isBrokers
    // It stands for the level above it, too (§4.7.1.2).
    if (isWild) note(at.next.get('#'))
    if (name === undefined) {
      note(at)
      return
    }
    follow(at.next.get(name), index + 1)
    if (isWild) follow(at.next.get('+'), index + 1)
  }
  follow(root, 0)
  return found
}

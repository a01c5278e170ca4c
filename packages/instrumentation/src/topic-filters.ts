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

/** A filter may stand for any number of topics. */
const MAX_TOPICS = 1000
const UNKNOWN: TopicPlace = { position: { unbounded: true }, group: undefined }

interface Subscribed {
  /** Without the name of its share. */
  readonly filter: string
  readonly group: string | undefined
}

export function createTopicFilters(): TopicFilters {
  /** By filters as they were given. */
  const subscribed = new Map<string, Subscribed>()
  const places = new Map<string, TopicPlace>()

  function find(topic: string): TopicPlace {
    let found: Subscribed | undefined
    let isOnlyOne = true
    for (const each of subscribed.values()) {
      if (each.filter === topic) return { position: {}, group: each.group }
      if (!matches(each.filter, topic)) continue
      isOnlyOne &&= found === undefined || found.filter === each.filter
      found = each
    }
    if (found === undefined || !isOnlyOne) return UNKNOWN
    return { position: { pattern: found.filter }, group: found.group }
  }

  return {
    add(filters) {
      for (const filter of filters) subscribed.set(filter, parse(filter))
      places.clear()
    },
    remove(filters) {
      for (const filter of filters) subscribed.delete(filter)
      places.clear()
    },
    placeOf(topic) {
      let place = places.get(topic)
      if (place === undefined) {
        place = find(topic)
        if (places.size >= MAX_TOPICS) places.clear()
        places.set(topic, place)
      }
      return place
    },
  }
}

/** `$share/{group}/{filter}` is shared between the clients of the group (MQTT 5 §4.8.2). */
function parse(text: string): Subscribed {
  const [, group, filter] = /^\$share\/([^/]+)\/(.*)$/.exec(text) ?? []
  return { filter: filter ?? text, group }
}

/** Whether a subscription to `filter` gets messages of `topic` (MQTT 5 §4.7). */
function matches(filter: string, topic: string): boolean {
  // §4.7.2: a leading wildcard does not match the broker's own topics.
  if (topic.startsWith('$') && !filter.startsWith('$')) return false
  const wanted = filter.split('/')
  const levels = topic.split('/')
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false
  }
  return wanted.length === levels.length
}

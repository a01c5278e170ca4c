import type { Delivery, Message } from '@throughline/core'

/** A message whose body is its number. */
export function numbered(number: number, rest: Partial<Message> = {}): Message {
  return { body: Buffer.from(String(number)), headers: [], ...rest }
}

/** `count` messages from number `from` on; with `keys`, of so many keys in turn. */
export function series(count: number, { keys = 0, from = 0 } = {}): readonly Message[] {
  return Array.from({ length: count }, (_, index) =>
    numbered(from + index, keys > 0 ? { key: `key-${(from + index) % keys}` } : {}),
  )
}

export function textOf({ body }: Message): string {
  return body === null ? '' : Buffer.from(body).toString()
}

export function numberOf({ message }: Pick<Delivery, 'message'>): number {
  return Number(textOf(message))
}

/** The numbers of deliveries, each once, in the order of their first arrival. */
export function firstArrivals(deliveries: readonly Delivery[]): number[] {
  return [...new Set(deliveries.map(numberOf))]
}

export function ascending(numbers: Iterable<number>): number[] {
  return [...numbers].sort((a, b) => a - b)
}

export function range(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index)
}

/** The items in another order, the same in every run (a linear congruential generator). */
export function shuffled<Item>(items: readonly Item[]): Item[] {
  let state = 1
  const random = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state
  }
  return items
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item)
}

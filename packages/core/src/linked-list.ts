/**
 * Items in the order in which they were added, to be taken out from anywhere. It stands in for a Set where thousands of
 * objects come and go: as a Set turns over, V8 leaves tables behind that keep what was in them, and each other, from the
 * quick collection of young objects (the MQTT transport's RATIONALE.md has figures).
 */
export interface LinkedList<Item> extends Iterable<Item> {
  readonly size: number
  /** Adds an item at the end; what it gives takes the item out again. */
  add(item: Item): Place<Item>
  /** Takes an item out. False when it was out already. */
  remove(place: Place<Item>): boolean
  /** Takes all out, and gives them in their order. */
  clear(): Item[]
}

/** Where an item stands, for the list alone to look at. */
export interface Place<Item> {
  readonly item: Item
  before: Place<Item> | null
  behind: Place<Item> | null
  isIn: boolean
}

/** An empty one. */
export function createLinkedList<Item>(): LinkedList<Item> {
  let first: Place<Item> | null = null
  let last: Place<Item> | null = null
  let size = 0

  function add(item: Item): Place<Item> {
    const place: Place<Item> = { item, before: last, behind: null, isIn: true }
    if (last === null) first = place
    else last.behind = place
    last = place
    size++
    return place
  }

  function remove(place: Place<Item>): boolean {
    if (!place.isIn) return false
    const { before, behind } = place
    if (before === null) first = behind
    else before.behind = behind
    if (behind === null) last = before
    else behind.before = before
    // One that is out must not hold on to others.
    place.before = null
    place.behind = null
    place.isIn = false
    size--
    return true
  }

  function* items(): Generator<Item> {
    for (let place = first; place !== null; place = place.behind) yield place.item
  }

  function clear(): Item[] {
    const all = [...items()]
    while (first !== null) remove(first)
    return all
  }

  return {
    get size() {
      return size
    },
    add,
    remove,
    clear,
    [Symbol.iterator]: items,
  }
}

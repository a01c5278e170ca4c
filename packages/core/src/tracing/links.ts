/** Links that the SDK keeps on a span by default; it drops the oldest of more without a word. */
export const LINK_LIMIT = 128

/** Slices of at most `size` in order. */
export function partsOf<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  const parts: Item[][] = []
  for (let start = 0; start < items.length; start += size) parts.push(items.slice(start, start + size))
  return parts
}

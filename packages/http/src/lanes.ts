type Key = string | Uint8Array

/**
 * Runs tasks that have a key in common one after the other, in the order in which they came; those without a key at
 * once. A task is given the results of those that it waited for.
 */
export function createLanes<Result>() {
  const tails = new Map<string, Promise<Result | undefined>>()

  function run(
    keys: readonly Key[],
    task: (before: readonly (Result | undefined)[]) => Promise<Result>,
  ): Promise<Result> {
    if (keys.length === 0) return task([])
    const names = keys.map(nameOf)
    const before = names.flatMap((name) => tails.get(name) ?? [])
    const result = before.length === 0 ? task([]) : Promise.all(before).then(task)
    const done = (value: Result | undefined) => {
      for (const name of names) if (tails.get(name) === tail) tails.delete(name)
      return value
    }
    const tail = result.then(done, () => done(undefined))
    for (const name of names) tails.set(name, tail)
    return result
  }

  return { run }
}

/** A text and its bytes are one key. Keys that are no UTF-8 may share a name, which costs them no more than waiting. */
function nameOf(key: Key): string {
  return typeof key === 'string' ? key : Buffer.from(key).toString()
}

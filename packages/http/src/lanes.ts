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
    const names = new Set(keys.map((key) => Buffer.from(key).toString('latin1')))
    const before = [...names].flatMap((name) => tails.get(name) ?? [])
    const result = before.length === 0 ? task([]) : Promise.all(before).then(task)
    const forget = () => {
      for (const name of names) if (tails.get(name) === tail) tails.delete(name)
    }
    const tail = result.catch(() => undefined).finally(forget)
    for (const name of names) tails.set(name, tail)
    return result
  }

  return { run }
}

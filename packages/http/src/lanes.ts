/** Runs the tasks of one key one after the other, in the order in which they came; those without a key at once. */
export function createLanes<Result>() {
  const tails = new Map<string, Promise<unknown>>()

  function run(key: string | Uint8Array | undefined, task: () => Promise<Result>): Promise<Result> {
    if (key === undefined) return task()
    const name = (typeof key === 'string' ? Buffer.from(key) : Buffer.from(key)).toString('latin1')
    const result = tails.get(name)?.then(task) ?? task()
    const forget = () => {
      if (tails.get(name) === tail) tails.delete(name)
    }
    const tail: Promise<void> = result.then(forget, forget)
    tails.set(name, tail)
    return result
  }

  return { run }
}

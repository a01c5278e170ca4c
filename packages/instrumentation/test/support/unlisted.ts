/** What answers by its names and cannot be listed: an application's object that can be read, and not copied. */
export function unlisted<Value extends object>(value: Value): Value {
  return new Proxy(value, {
    ownKeys() {
      throw new Error('it cannot be listed')
    },
  })
}

/** Something that the explorer refuses, with a code that stays the same over versions. */
export class ExplorerError extends Error {
  override readonly name: string = 'ExplorerError'
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A port that another program holds (`TL_PORT_TAKEN`). */
export class PortTakenError extends ExplorerError {
  override readonly name = 'PortTakenError'
  constructor(what: string, address: string) {
    super(
      'TL_PORT_TAKEN',
      `${what} cannot listen on ${address}: the port is taken by another program. Stop it, or choose another port (0 picks a free one).`,
    )
  }
}

/** An address that cannot be bound, or must not be without a token (`TL_BAD_ADDRESS`, `TL_TOKEN_REQUIRED`). */
export class AddressError extends ExplorerError {
  override readonly name = 'AddressError'
}

/** The data folder is in use by another explorer (`TL_DATA_DIR_LOCKED`) or cannot be used (`TL_DATA_DIR_UNUSABLE`). */
export class DataDirError extends ExplorerError {
  override readonly name = 'DataDirError'
}

/** The store has no room (`TL_STORE_FULL`): nothing of the append was kept, and the same append may be tried again. */
export class StoreFullError extends ExplorerError {
  override readonly name = 'StoreFullError'
  constructor(dataDir: string, cause: unknown) {
    super(
      'TL_STORE_FULL',
      `no room left to write spans in ${dataDir}; exporters are told to retry, and spans are taken again as soon as there is room`,
      { cause },
    )
  }
}

/** A request whose content cannot be read (`TL_BAD_OTLP`): the message names the place. */
export class OtlpDecodeError extends ExplorerError {
  override readonly name = 'OtlpDecodeError'
  constructor(message: string, options?: ErrorOptions) {
    super('TL_BAD_OTLP', message, options)
  }
}

/** Whether an error of Node's or SQLite's carries this code. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

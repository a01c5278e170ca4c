import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'
import { type Order, order } from './events.ts'

/** Orders in SQLite, each with whether its event is out: what was saved is published, also after a crash between the two. */
export interface Store extends Disposable {
  save(order: Order): void
  find(orderId: string): Order | undefined
  /** Saved, but not confirmed as published. */
  unpublished(): readonly Order[]
  published(orderId: string): void
}

const row = z.object({ data: z.string() })

/** @param path A file, whose folder is made where it is not there; `:memory:` keeps nothing. */
export function openStore(path: string): Store {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true })
  const database = new DatabaseSync(path)
  database.exec(`
    CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, data TEXT NOT NULL, published INTEGER NOT NULL DEFAULT 0);
    CREATE INDEX IF NOT EXISTS waiting ON orders (id) WHERE published = 0;
  `)
  const insert = database.prepare('INSERT INTO orders (id, data) VALUES (?, ?)')
  const select = database.prepare('SELECT data FROM orders WHERE id = ?')
  const waiting = database.prepare('SELECT data FROM orders WHERE published = 0')
  const mark = database.prepare('UPDATE orders SET published = 1 WHERE id = ?')
  const orderOf = (found: unknown): Order => order.parse(JSON.parse(row.parse(found).data))
  return {
    save: (saved) => void insert.run(saved.orderId, JSON.stringify(saved)),
    find(orderId) {
      const found = select.get(orderId)
      return found === undefined ? undefined : orderOf(found)
    },
    unpublished: () => waiting.all().map(orderOf),
    published: (orderId) => void mark.run(orderId),
    [Symbol.dispose]: () => database.close(),
  }
}

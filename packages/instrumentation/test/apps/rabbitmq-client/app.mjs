import Default, { Connection } from 'rabbitmq-client'
import { run } from './scenario.cjs'

if (Default === undefined) throw new Error('there is no default export')
await run({ Connection })

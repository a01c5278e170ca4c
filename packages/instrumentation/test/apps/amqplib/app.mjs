import amqplib, { connect } from 'amqplib'
import { run } from './scenario.cjs'

if (amqplib.connect !== connect) throw new Error('the default and the named export differ')
await run({ connect })

import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { run } from './scenario.cjs'

await run({ Admin, Consumer, Producer, stringDeserializers, stringSerializers })

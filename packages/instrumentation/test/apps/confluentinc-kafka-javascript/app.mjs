import { KafkaJS } from '@confluentinc/kafka-javascript'
import scenario from './scenario.cjs'

await scenario.run(KafkaJS)

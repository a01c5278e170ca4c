import mqtt, { connect } from 'mqtt'
import scenario from './scenario.cjs'

if (connect !== mqtt.connect) throw new Error('what is imported by its name is not what the default has')
await scenario.run({ connect })

require('kafkajs')
// After the client is loaded, before one is made.
require('./own-sdk.cjs')
require('./send.cjs')

require('./own-http-sdk.cjs')
require('./http.cjs')

import { register } from 'import-in-the-middle/register-hooks.mjs'

// An application's own, for modules of its own.
register({ include: ['another-module'] })

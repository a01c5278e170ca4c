import { repository } from './bootstrap/paths.mjs'
import { check } from './suites/check.ts'

process.exitCode = (await check(repository)) ? 0 : 1

import { repository } from './bootstrap/paths.mjs'
import { checkBoundaries } from './boundaries/check.ts'

const { problems, modules } = checkBoundaries(repository)
for (const problem of problems) console.error(problem)
console.log(`${modules} modules, ${problems.length} forbidden imports`)
if (problems.length > 0 || modules === 0) process.exitCode = 1

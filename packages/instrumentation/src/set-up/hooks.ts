import Module, { createRequire, register, registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { HookData } from './hooks-thread.ts'

interface SyncHook {
  readonly resolveSync: NonNullable<Parameters<typeof registerHooks>[0]['resolve']>
  readonly loadSync: Parameters<typeof registerHooks>[0]['load']
  applyOptions(options: { readonly include: readonly string[] }): void
}

/**
 * Has modules of these names found when they are imported; OpenTelemetry's base class finds those that are required. Calls
 * `found` when the first of them is about to be loaded either way.
 *
 * The copy of import-in-the-middle that the base class uses, as another one would tell it nothing. It is given hooks of
 * our own, as its `register` works once a process: whoever called it second, the application or we, would be left out.
 */
export function hookModules(include: readonly string[], found: () => void): void {
  const require = createRequire(createRequire(import.meta.url).resolve('@opentelemetry/instrumentation'))
  const hookUrl = pathToFileURL(require.resolve('import-in-the-middle/hook.mjs')).href
  const { supportsSyncHooks } = require('import-in-the-middle/supports-sync-hooks.mjs') as {
    supportsSyncHooks(): boolean
  }
  if (!supportsSyncHooks()) {
    const createHookUrl = pathToFileURL(require.resolve('import-in-the-middle/create-hook.mjs')).href
    const data: HookData = { createHookUrl, hookUrl, include }
    register(import.meta.resolve('#hooks-thread'), { data })
    // The other thread would say so too late.
    found()
    return
  }
  const { createHook } = require('import-in-the-middle/create-hook.mjs') as {
    createHook(meta: { readonly url: string }): SyncHook
  }
  const hook = createHook({ url: hookUrl })
  hook.applyOptions({ include })
  const { resolveSync, loadSync } = hook
  const loading = onFirst(include, found)
  registerHooks({
    resolve(specifier, context, next) {
      const resolved = resolveSync(specifier, context, next)
      loading(resolved.url)
      return resolved
    },
    load: loadSync,
  })
}

interface Requirer {
  require(this: unknown, ...args: unknown[]): unknown
}

/**
 * What to tell of each URL that is about to be loaded; `found` is called for the first one of these packages. Where it is
 * required, it is required once more through the hook that there is by then.
 */
function onFirst(names: readonly string[], found: () => void): (url: string) => void {
  const { prototype } = Module as { readonly prototype: Requirer }
  const { require } = prototype
  let isWaiting = true
  /** How many calls of `require` are under way, and how many were when it was found. */
  let depth = 0
  let foundAt: number | undefined
  prototype.require = function (...args) {
    if (!isWaiting) return require.apply(this, args)
    depth++
    let exports: unknown
    try {
      exports = require.apply(this, args)
    } finally {
      depth--
    }
    if (foundAt !== depth + 1) return exports
    foundAt = undefined
    return prototype.require.apply(this, args)
  }
  return (url) => {
    if (!isWaiting || !names.some((name) => url.includes(`/node_modules/${name}/`))) return
    isWaiting = false
    foundAt = depth
    found()
  }
}

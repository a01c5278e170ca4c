import { createRequire, register, registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { HookData } from './hooks-thread.ts'

interface SyncHook {
  readonly resolveSync: Parameters<typeof registerHooks>[0]['resolve']
  readonly loadSync: Parameters<typeof registerHooks>[0]['load']
  applyOptions(options: { readonly include: readonly string[] }): void
}

/**
 * Has modules of these names found when they are imported; OpenTelemetry's base class finds those that are required.
 *
 * The copy of import-in-the-middle that the base class uses, as another one would tell it nothing. It is given hooks of
 * our own, as its `register` works once a process: whoever called it second, the application or we, would be left out.
 */
export function hookImports(include: readonly string[]): void {
  const require = createRequire(createRequire(import.meta.url).resolve('@opentelemetry/instrumentation'))
  const hookUrl = pathToFileURL(require.resolve('import-in-the-middle/hook.mjs')).href
  const { supportsSyncHooks } = require('import-in-the-middle/supports-sync-hooks.mjs') as {
    supportsSyncHooks(): boolean
  }
  if (!supportsSyncHooks()) {
    const createHookUrl = pathToFileURL(require.resolve('import-in-the-middle/create-hook.mjs')).href
    const data: HookData = { createHookUrl, hookUrl, include }
    register(import.meta.resolve('#hooks-thread'), { data })
    return
  }
  const { createHook } = require('import-in-the-middle/create-hook.mjs') as {
    createHook(meta: { readonly url: string }): SyncHook
  }
  const hook = createHook({ url: hookUrl })
  hook.applyOptions({ include })
  registerHooks({ resolve: hook.resolveSync, load: hook.loadSync })
}

import type { LoadHook, ResolveHook } from 'node:module'

/** What `createHook` of import-in-the-middle makes, as far as Node's loader thread calls it. */
interface AsyncHook {
  readonly resolve: ResolveHook
  readonly load: LoadHook
  applyOptions(options: { readonly include: readonly string[] }): void
}

/** Handed over to the loader thread. */
export interface HookData {
  /** Of the copy of import-in-the-middle that is used: its `create-hook.mjs` and its `hook.mjs`. */
  readonly createHookUrl: string
  readonly hookUrl: string
  readonly include: readonly string[]
}

/** Undefined while it is loaded itself: by these hooks, as everything from now on. */
let hook: AsyncHook | undefined

/** Run by Node's `module.register` in the loader thread. */
export async function initialize({ createHookUrl, hookUrl, include }: HookData): Promise<void> {
  const { createHook } = (await import(createHookUrl)) as {
    createHook(meta: { readonly url: string }): AsyncHook
  }
  const made = createHook({ url: hookUrl })
  made.applyOptions({ include })
  hook = made
}

export const resolve: ResolveHook = (specifier, context, next) =>
  hook === undefined ? next(specifier, context) : hook.resolve(specifier, context, next)

export const load: LoadHook = (url, context, next) =>
  hook === undefined ? next(url, context) : hook.load(url, context, next)

import type { Measure } from './labels.ts'

/** Fonts of the drawing's labels; drawing.css sets the same. */
const FONTS = {
  label: '500 11.5px ui-sans-serif, system-ui, "Inter", "Segoe UI", Roboto, "DejaVu Sans", sans-serif',
  inside: '600 11.5px ui-sans-serif, system-ui, "Inter", "Segoe UI", Roboto, "DejaVu Sans", sans-serif',
  mono: '11px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
} as const

const CACHE_LIMIT = 20_000

/** Measures texts as the browser will draw them. */
export function createMeasure(): Measure {
  const context = document.createElement('canvas').getContext('2d')
  const cache = new Map<string, number>()
  return (text, font) => {
    const key = `${font}${text}`
    const known = cache.get(key)
    if (known !== undefined) return known
    if (cache.size > CACHE_LIMIT) cache.clear()
    let width = text.length * 7
    if (context !== null) {
      context.font = FONTS[font]
      width = context.measureText(text).width
    }
    cache.set(key, width)
    return width
  }
}

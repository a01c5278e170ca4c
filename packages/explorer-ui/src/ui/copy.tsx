import { useEffect, useState } from 'react'

/** A button that copies a text and says that it did. */
export function CopyButton({ text, label = 'Copy' }: { readonly text: string; readonly label?: string }) {
  const [state, setState] = useState<'idle' | 'copied' | 'failed'>('idle')
  useEffect(() => {
    if (state === 'idle') return
    const timer = setTimeout(() => setState('idle'), 1600)
    return () => clearTimeout(timer)
  }, [state])
  const shown = { idle: label, copied: 'Copied', failed: 'Not allowed' }[state]
  return (
    <button
      type="button"
      className="button small"
      aria-live="polite"
      onClick={() => {
        copyText(text).then(
          () => setState('copied'),
          () => setState('failed'),
        )
      }}
    >
      {shown}
    </button>
  )
}

async function copyText(text: string): Promise<void> {
  // The clipboard exists on https and loopback alone.
  if (navigator.clipboard === undefined) throw new Error('no clipboard')
  await navigator.clipboard.writeText(text)
}

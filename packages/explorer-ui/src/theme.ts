export type Theme = 'system' | 'dark' | 'light'

const KEY = 'throughline.theme'

/** The theme chosen on this machine; `system` when none was chosen or storage is forbidden. */
export function readTheme(): Theme {
  try {
    const stored = localStorage.getItem(KEY)
    return stored === 'dark' || stored === 'light' ? stored : 'system'
  } catch {
    return 'system'
  }
}

/** Shows the page in a theme; `system` follows `prefers-color-scheme`. */
export function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
}

/** Shows the theme and keeps it for the next visit. */
export function chooseTheme(theme: Theme): void {
  applyTheme(theme)
  try {
    if (theme === 'system') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, theme)
  } catch {
    // Storage is forbidden (private window): the choice lasts as long as the page.
  }
}

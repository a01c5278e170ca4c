import { applyTheme, readTheme } from './theme.ts'

// Runs before the first paint: a theme set later would flash.
applyTheme(readTheme())

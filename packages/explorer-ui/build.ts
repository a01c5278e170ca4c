import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const SOURCE_DIR = join(import.meta.dirname, 'src')

/**
 * Bundles the page into `outDir`: `index.html` and `assets/` whose names carry a hash of their content, so
 * that they may be cached for ever. The folder is replaced as a whole; a build that fails leaves it untouched.
 *
 * @throws esbuild's `BuildFailure`, with file and line, when a source does not compile.
 */
export async function buildUi(outDir: string): Promise<void> {
  const target = resolve(outDir)
  const draft = `${target}.${process.pid}.tmp`
  try {
    await writeBundle(draft)
    await rm(target, { recursive: true, force: true })
    await mkdir(dirname(target), { recursive: true })
    await rename(draft, target)
  } catch (error) {
    // Another process has put its own build there between the two calls; it is made from the same sources.
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function writeBundle(folder: string): Promise<void> {
  // Loaded only when something is built: a command that finds its page in the cache should not wait for it.
  const { build } = await import('esbuild')
  const result = await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: { app: 'src/main.tsx', boot: 'src/boot.ts' },
    outdir: join(folder, 'assets'),
    entryNames: '[name]-[hash]',
    bundle: true,
    minify: true,
    sourcemap: true,
    metafile: true,
    // One file that runs at once: the page must have its theme before the first paint, so boot.ts cannot be a module.
    format: 'iife',
    target: ['es2022', 'chrome111', 'firefox115', 'safari16.4'],
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
    legalComments: 'none',
    logLevel: 'silent',
  })
  const files = Object.keys(result.metafile.outputs).map((path) => basename(path))
  const asset = (name: string, extension: string): string => {
    const file = files.find((candidate) => candidate.startsWith(`${name}-`) && candidate.endsWith(extension))
    if (file === undefined) throw new Error(`building the page: esbuild wrote no ${name}*${extension}`)
    return `/assets/${file}`
  }
  const icon = await readFile(join(SOURCE_DIR, 'icon.svg'))
  const iconName = `icon-${createHash('sha256').update(icon).digest('hex').slice(0, 8)}.svg`
  await writeFile(join(folder, 'assets', iconName), icon)
  const template = await readFile(join(SOURCE_DIR, 'index.html'), 'utf8')
  const html = template
    .replace('/boot.js', asset('boot', '.js'))
    .replace('/app.js', asset('app', '.js'))
    .replace('/app.css', asset('app', '.css'))
    .replace('/icon.svg', `/assets/${iconName}`)
  await writeFile(join(folder, 'index.html'), html)
}

/**
 * A hash (16 hex digits) of everything the bundle is made from: the sources, this script and React's version.
 * The same hash means the same bundle, so a cached one can be used.
 */
export async function uiSourceHash(): Promise<string> {
  const hash = createHash('sha256')
  const entries = await readdir(SOURCE_DIR, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  for (const file of [...files.sort(), import.meta.filename]) {
    hash.update(`${relative(import.meta.dirname, file)}\0`)
    hash.update(await readFile(file))
    hash.update('\0')
  }
  const require = createRequire(import.meta.url)
  for (const name of ['react', 'react-dom', 'esbuild']) {
    const manifest: { version?: string } = require(`${name}/package.json`)
    hash.update(`${name}@${manifest.version}\0`)
  }
  return hash.digest('hex').slice(0, 16)
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const outDir = process.argv[2] ?? join(import.meta.dirname, 'dist')
  const startMs = performance.now()
  await buildUi(outDir)
  console.log(
    `built the page ${await uiSourceHash()} into ${outDir} in ${Math.round(performance.now() - startMs)} ms`,
  )
}

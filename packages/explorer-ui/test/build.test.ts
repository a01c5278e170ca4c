import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { buildUi, uiSourceHash } from '../build.ts'

test('the page is built from nothing into a folder of its own, with no script or style in its HTML', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'throughline-build-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const out = join(folder, 'deep', 'ui')
  await buildUi(out)
  const html = await readFile(join(out, 'index.html'), 'utf8')
  const named = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map((match) => match[1] ?? '')
  assert.equal(named.length, 4)
  for (const name of named) {
    assert.match(name, /-[A-Za-z0-9]{8}\.(js|css|svg)$/)
    assert.ok((await readFile(join(out, name))).length > 0)
  }
  assert.doesNotMatch(html, /<style|\sstyle=|<script(?![^>]*\ssrc=)/)
})

test('building again replaces what was there and leaves nothing else behind', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'throughline-build-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const out = join(folder, 'ui')
  await buildUi(out)
  const first = await readdir(join(out, 'assets'))
  await writeFile(join(out, 'assets', 'app-OLD.js'), 'old')
  await buildUi(out)
  assert.deepEqual((await readdir(join(out, 'assets'))).sort(), first.sort())
  assert.deepEqual(await readdir(folder), ['ui'])
})

test('the hash of the sources is the same for the same sources', async () => {
  const hash = await uiSourceHash()
  assert.match(hash, /^[0-9a-f]{16}$/)
  assert.equal(await uiSourceHash(), hash)
})

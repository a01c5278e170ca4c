import { existsSync } from 'node:fs'
import { run, which } from './command.mjs'
import { aptInstall, aptUnpack, hasApt } from './debian.mjs'
import { SetupError } from './setup.mjs'

/** Other people's clients, by which tests look at what is on the wire. @type {import('./setup.mjs').Thing} */
export const clients = {
  title: 'kcat, mosquitto_sub',
  needs: [],
  present: () => (which('kcat') && which('mosquitto_sub') && which('mosquitto_pub') ? 'on PATH' : undefined),
  async provide() {
    if (hasApt()) {
      const commands = {
        kcat: 'usr/bin/kcat',
        mosquitto_sub: 'usr/bin/mosquitto_sub',
        mosquitto_pub: 'usr/bin/mosquitto_pub',
      }
      return aptUnpack('clients', ['kcat', 'mosquitto-clients'], commands)
    }
    if (which('brew')) {
      await run('brew', ['install', 'kcat', 'mosquitto'])
      return 'by Homebrew'
    }
    const why = 'neither apt-get nor Homebrew is here'
    throw new SetupError(
      'kcat and mosquitto_sub, which tests use',
      why,
      'install kcat and the Mosquitto clients',
    )
  },
}

/** The browser of the page tests: the one that CHROMIUM_PATH names, else the system's. */
export function findChromium() {
  const named = process.env.CHROMIUM_PATH
  if (named) return named
  const commands = ['chromium', 'chromium-browser', 'google-chrome']
  const applications = ['Chromium', 'Google Chrome'].map(
    (name) => `/Applications/${name}.app/Contents/MacOS/${name}`,
  )
  return (
    commands.map(which).find((path) => path !== undefined) ?? applications.find((path) => existsSync(path))
  )
}

/** @type {import('./setup.mjs').Thing} */
export const chromium = {
  title: 'Chromium',
  needs: [],
  present: findChromium,
  async provide() {
    const what = 'Chromium, in which the page is tested'
    // Without a font of its own a page of a bare system is drawn in boxes.
    if (hasApt()) await aptInstall(what, ['chromium', 'fonts-liberation'])
    const path = findChromium()
    if (path) return path
    throw new SetupError(
      what,
      'it was not found',
      'install Chromium or Chrome, or set CHROMIUM_PATH (npm test -- --quick does without)',
    )
  },
}

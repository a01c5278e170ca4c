import { isExecutable, run, which } from './command.mjs'
import { aptUnpack, hasApt } from './debian.mjs'
import { SetupError } from './setup.mjs'

/** The broker's program: the system's, Homebrew's (which is not on PATH) or the one that set-up unpacked. */
export function findMosquitto() {
  return (
    which('mosquitto') ?? ['/opt/homebrew/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find(isExecutable)
  )
}

/** @type {import('./setup.mjs').Thing} */
export const mosquitto = {
  title: 'Mosquitto',
  needs: [],
  present: findMosquitto,
  async provide() {
    if (hasApt()) return aptUnpack('mosquitto', ['mosquitto'], { mosquitto: 'usr/sbin/mosquitto' })
    if (which('brew')) {
      await run('brew', ['install', 'mosquitto'])
      return 'by Homebrew'
    }
    const fix =
      'install Mosquitto 2, or set MQTT_URL to a broker that runs (docker compose up -d --wait starts one)'
    throw new SetupError('Mosquitto, the MQTT broker', 'neither apt-get nor Homebrew is here', fix)
  },
}

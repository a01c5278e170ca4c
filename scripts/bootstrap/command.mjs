import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { cacheBin } from './paths.mjs'

/** A command that could not be run or ended with something else than 0; `output` is all that it printed. */
export class CommandError extends Error {
  /**
   * @param {string} message
   * @param {string} output
   */
  constructor(message, output) {
    super(message)
    this.code = 'COMMAND_FAILED'
    this.output = output
  }
}

/**
 * The command line that makes Linux end a command when this process is gone, even by SIGKILL.
 *
 * @param {'TERM' | 'KILL'} signal
 * @param {readonly [string, ...string[]]} line
 * @returns {readonly [string, ...string[]]}
 */
export function endingWithUs(signal, line) {
  const setpriv = '/usr/bin/setpriv'
  return existsSync(setpriv) ? [setpriv, '--pdeathsig', signal, ...line] : line
}

/**
 * Runs a command without a shell and gives back what it printed (stdout and stderr in order of arrival).
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string | undefined> }} [options]
 * @returns {Promise<string>}
 */
export function run(command, args, options = {}) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      // A package manager that asks a question would wait for ever: its answers are given here, its stdin is empty.
      env: { ...process.env, LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text) => (output += text))
    child.on('error', (error) => failed(new CommandError(`${command}: ${error.message}`, output)))
    child.on('close', (code, signal) => {
      if (code === 0) return done(output)
      failed(new CommandError(`${command} ${args.join(' ')}: ended with ${signal ?? code}`, output.trim()))
    })
  })
}

/**
 * The full path of a command on PATH, the folder of set-up's own commands included.
 *
 * @param {string} command
 * @returns {string | undefined}
 */
export function which(command) {
  const folders = [cacheBin(), ...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.map((folder) => join(folder, command)).find(isExecutable)
}

/** @param {string} path */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

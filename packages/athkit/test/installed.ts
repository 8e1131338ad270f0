import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Packages packed and installed in an empty project: no registry is asked, what they need comes from this checkout's node_modules. */

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')

export interface Manifest {
  readonly version: string
  readonly exports: Record<string, unknown>
  readonly dependencies?: Record<string, string>
}

export const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

/** Where a package of the workspace, or a dependency, is here. */
export const installed = (name: string): string => join(ROOT, 'node_modules', name)

/** As a dependency, or an override, of the empty project. */
export const fromHere = (name: string) => [name, `file:${installed(name)}`] as const

/** Everything that a package needs at run time, and what that needs. */
export function dependenciesOf(folder: string, found = new Set<string>()): ReadonlySet<string> {
  for (const name of Object.keys(manifestOf(folder).dependencies ?? {})) {
    if (found.has(name)) continue
    found.add(name)
    dependenciesOf(installed(name), found)
  }
  return found
}

export function npm(args: readonly string[], cwd: string): void {
  execFileSync('npm', [...args, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 120_000,
  })
}

/** The paths in a tarball. */
export const filesIn = (tarball: string): readonly string[] =>
  execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n')

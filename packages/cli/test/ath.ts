import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = new URL('../../../', import.meta.url).pathname

export interface Ran {
  readonly status: number | null
  readonly out: string
  readonly err: string
  /** The last line of standard output, where it is JSON. */
  readonly last: Record<string, unknown>
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ran>
  /** As soon as this was written to standard error. */
  said(text: RegExp): Promise<RegExpExecArray>
}

/** People with a vault each, in a folder of their own, who run `ath` as a program. */
export function createPeople() {
  const folder = mkdtempSync(join(tmpdir(), 'athkit-cli-'))
  const children: ChildProcess[] = []
  const at = (name: string): string => join(folder, name)

  /**
   * @param input what it reads from standard input
   * @param env beside what opens the vault, or instead of it
   */
  function start(
    who: string,
    args: readonly string[],
    input: string | Uint8Array = '',
    env: NodeJS.ProcessEnv = {},
  ): Running {
    const key = Buffer.alloc(32, who.charCodeAt(0)).toString('base64url')
    const child = spawn(process.execPath, [join(ROOT, 'tools/ath.mjs'), ...args], {
      cwd: folder,
      env: { ...process.env, ATH_VAULT: at(`${who}.vault`), ATH_VAULT_KEY: key, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    child.stdin.end(input)
    children.push(child)
    let [out, err] = ['', '']
    const listeners = new Set<() => void>()
    child.stdout.on('data', (data) => {
      out += data
    })
    child.stderr.on('data', (data) => {
      err += data
      for (const listener of listeners) listener()
    })
    const ended = new Promise<Ran>((resolve) =>
      child.on('close', (status) => {
        const line = out.trim().split('\n').at(-1) ?? ''
        resolve({ status, out, err, last: line.startsWith('{') ? JSON.parse(line) : {} })
      }),
    )
    const said = (text: RegExp) =>
      new Promise<RegExpExecArray>((resolve, reject) => {
        const look = (): void => {
          const found = text.exec(err)
          if (found !== null) resolve(found)
        }
        listeners.add(look)
        look()
        void ended.then(({ out }) => reject(new Error(`ended without ${text}: ${out}${err}`)))
      })
    return { child, ended, said }
  }

  const ath = (who: string, ...args: string[]): Promise<Ran> => start(who, args).ended

  /** The shop alone; nobody waits after a denial. */
  function shop(...args: string[]): Promise<{ origin: string; server_did: string }> {
    const script = join(ROOT, 'examples/shop/dist/shop.js')
    const always = ['--port', '0', '--ca-file', at('ca.pem'), '--denial-backoff', '0']
    const child = spawn(process.execPath, [script, ...always, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    return new Promise((resolve) => child.stdout.once('data', (data) => resolve(JSON.parse(String(data)))))
  }

  function end(): void {
    for (const child of children) child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }

  return { at, start, ath, shop, end }
}

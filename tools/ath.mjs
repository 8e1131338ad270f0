// `npm run -s ath -- …` right after `npm ci`: builds once, quietly, then is the command itself.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const main = new URL('../packages/cli/dist/main.js', import.meta.url)
if (!existsSync(main)) {
  const root = new URL('..', import.meta.url)
  execFileSync('npm', ['run', '-s', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
}
await import(main.href)

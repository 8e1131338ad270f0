/**
 * Checks every vector file of a folder with the library, on both crypto ports:
 *
 *     npm run vectors -- DIR
 *
 * A port is chosen when a program is resolved, so each has a process of its own.
 */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { resolve as resolvePath } from 'node:path'
import { fileURLToPath } from 'node:url'

const PORTS = [
  { name: 'node', flags: [] },
  { name: 'webcrypto', flags: ['--conditions=athkit-webcrypto'] },
]
const USAGE =
  'Usage: npm run vectors -- DIR\n\nDIR holds vector files (*.json), like the folder vectors/ of this repository.'

const [folder, mode] = process.argv.slice(2)
if (mode === '--one-port') await runHere(folder)
// npm changes to the workspace's root; DIR is meant from where the command was given.
else process.exitCode = await main(folder && resolvePath(process.env.INIT_CWD ?? '.', folder))

async function main(dir) {
  if (dir === undefined || !hasVectors(dir)) {
    if (dir !== undefined) console.error(`There are no vector files in ${dir}.\n`)
    console.error(USAGE)
    return 2
  }
  const reports = await Promise.all(PORTS.map((port) => runOn(port, dir)))
  const width = Math.max(...reports.flatMap((report) => report.files.map(([file]) => file.length)))
  for (const { port, files } of reports) {
    for (const [file, { passed, failed }] of files) {
      console.log(
        `${port.padEnd(9)}  ${file.padEnd(width)}  ${passed} passed${failed > 0 ? `, ${failed} failed` : ''}`,
      )
    }
  }
  for (const { port, failures } of reports) {
    for (const { file, case: name, why } of failures) {
      console.log([`FAILED on ${port}`, file, name, why].filter((part) => part !== '').join(': '))
    }
  }
  const failed = sum(reports.map((report) => report.failures.length))
  const passed = sum(reports.flatMap((report) => report.files.map(([, counts]) => counts.passed)))
  console.log(`${passed} passed, ${failed} failed`)
  return failed > 0 ? 1 : 0
}

function hasVectors(dir) {
  try {
    return readdirSync(dir).some((name) => name.endsWith('.json'))
  } catch {
    return false
  }
}

/** Runs this file again with the port's conditions; its last word is the report. */
function runOn({ name, flags }, dir) {
  const args = [
    '--disable-warning=ExperimentalWarning',
    ...flags,
    fileURLToPath(import.meta.url),
    dir,
    '--one-port',
  ]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  return new Promise((resolve) => {
    child.on('close', (code) => {
      if (code === 0) return resolve({ port: name, ...JSON.parse(output) })
      const failure = { file: '(all)', case: '', why: `the process ended with ${code}` }
      resolve({ port: name, files: [], failures: [failure] })
    })
  })
}

async function runHere(dir) {
  const { runVectors } = await import('../packages/athkit/dist/vectors/run.js')
  const { files, failures } = await runVectors(dir)
  process.stdout.write(JSON.stringify({ files: [...files], failures }))
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0)
}

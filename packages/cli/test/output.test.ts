import { expect, test } from 'vitest'
import { createPrinter } from '../src/output.ts'

const printed = (isTTY: boolean, ...pieces: (string | number[])[]) => {
  const written: Buffer[] = []
  const stream = { isTTY, write: (piece: Uint8Array | string) => written.push(Buffer.from(piece as string)) }
  const printer = createPrinter(stream as unknown as NodeJS.WriteStream)
  for (const piece of pieces) printer.print(Buffer.from(piece as string))
  printer.end()
  return Buffer.concat(written).toString()
}

test('a service does not steer the terminal; what is piped on is what came', () => {
  const steering = 'price: 1\u001b[2K\u001b]0;owned\u0007\tok\r\u202e9\n'
  expect(printed(true, steering)).toBe(
    'price: 1\\u{001B}[2K\\u{001B}]0;owned\\u{0007}\tok\\u{000D}\\u{202E}9\n',
  )
  expect(printed(false, steering)).toBe(steering)
})

test('a character in two pieces is one; the last line ends', () => {
  const [first, ...rest] = [...Buffer.from('é')]
  expect(printed(true, 'caf', [first as number], rest)).toBe('café\n')
  expect(printed(false, 'caf', [first as number], rest)).toBe('café')
})

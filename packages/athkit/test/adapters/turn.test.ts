import { expect, test } from 'vitest'
import { endOfTurn } from '../../src/adapters/turn.ts'

test('what waits in one turn of the event loop goes on together, in order, before the next turn’s', async () => {
  const order: string[] = []
  const goes = async (name: string) => {
    await endOfTurn()
    order.push(`${name} 1`)
    await undefined
    order.push(`${name} 2`)
  }
  const both = [goes('a'), goes('b')]
  // As long as this turn has anything left to do.
  await new Promise<void>((resolve) => process.nextTick(resolve))
  for (let i = 0; i < 10; i++) await undefined
  expect(order).toEqual([])
  const later = new Promise<void>((resolve) => setImmediate(() => resolve(goes('c'))))
  await Promise.all([...both, later])
  expect(order).toEqual(['a 1', 'b 1', 'a 2', 'b 2', 'c 1', 'c 2'])
})

import { defineConfig } from 'vitest/config'

const source = (path: string) => new URL(`./packages/athkit/src/${path}`, import.meta.url).pathname

/** The pure rooms run on both crypto ports; everything else runs on Node's. */
const pureRooms = [
  'agent',
  'crypto',
  'did',
  'handshake',
  'messages',
  'session',
  'token',
  'user',
  'vectors',
].map((room) => `packages/athkit/test/${room}/**/*.test.ts`)

/** Milliseconds: for a machine that does much else at the same time; nothing here waits for so long by itself. */
const testTimeout = 30_000

/** Where CI wants the totals, if it does. */
const summary = process.env.ATHKIT_TEST_SUMMARY

export default defineConfig({
  test: {
    reporters: summary === undefined ? ['default'] : ['default', ['json', { outputFile: summary }]],
    projects: [
      {
        resolve: { alias: { '#port': source('crypto/port-node.ts') } },
        test: {
          name: 'node',
          testTimeout,
          include: [
            'packages/*/test/**/*.test.ts',
            'examples/*/test/**/*.test.ts',
            'chaos/*/test/**/*.test.ts',
          ],
        },
      },
      {
        resolve: { alias: { '#port': source('crypto/port-webcrypto.ts') } },
        test: { name: 'webcrypto', testTimeout, include: pureRooms },
      },
    ],
  },
})

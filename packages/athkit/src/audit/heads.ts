import { signLabelled } from '../crypto/signature.ts'
import type { ChainWriter } from './chain-writer.ts'
import type { AuditHead } from './entry.ts'
import type { AuditDeps, AuditOptions } from './options.ts'
import { chainPartition, signedKey } from './rows.ts'

/** Signs the ends of chains, each end once. */
export function createHeads({ store, signer, now }: AuditDeps, { onHead }: AuditOptions) {
  const signed = new Map<string, number>()

  /** @throws what `onHead` throws: the same end is then signed again */
  async function sign({ head }: ChainWriter, process: string): Promise<void> {
    if (signer === undefined || head === undefined || head.count === 0) return
    if (signed.get(process) === head.count) return
    const seq = head.count - 1
    const unsigned = { type: 'audit_head', process, seq, hash: head.hash, timestamp: now() } as const
    const whole: AuditHead = { ...unsigned, signature: await signLabelled(signer, 'audit_head', unsigned) }
    const put = { op: 'put', key: signedKey(seq), value: JSON.stringify(whole) } as const
    await store.transact(chainPartition(process), [put], now())
    await onHead?.(whole)
    signed.set(process, head.count)
  }

  return { sign }
}

import type { ServiceContext } from './context.ts'
/** TEMPORARY until did/vc.ts is there */
export async function checkAgentCredentials(
  _context: ServiceContext,
  _clientDid: string,
  _credentials: readonly unknown[],
): Promise<void> {}

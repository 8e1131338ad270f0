import type { Vault } from 'athkit/agent'
import { vaultPins } from 'athkit/agent'
import { memoryPins } from 'athkit/did'
import { createRegistryClient, type RegistryClient } from 'athkit/registry'
import { certificatesIn, fetchOver } from './fetch.ts'
import { Usage } from './trouble.ts'

/** Where a registry is, and whose certificates it is trusted by. */
export interface RegistryPlace {
  readonly url: string
  /** PEM; the platform's authorities without it. */
  readonly ca: string | undefined
}

/** As the command line says, else as the vault remembers. */
export async function registryPlace(
  vault: Vault | undefined,
  { registry, ca }: { readonly registry?: string | undefined; readonly ca?: string | undefined },
): Promise<RegistryPlace | undefined> {
  if (registry !== undefined) return { url: registry, ca: ca === undefined ? undefined : certificatesIn(ca) }
  const known = (await vault?.entries('registry'))?.get('default') as RegistryPlace | undefined
  return known && { url: known.url, ca: known.ca ?? undefined }
}

/** The first registry that is named, unless it is the one that has the vault's own name: then that. */
export async function rememberPlace(vault: Vault, { url, ca }: RegistryPlace, isOwn = false): Promise<void> {
  const place = { url, ...(ca === undefined ? {} : { ca }) }
  if (!isOwn && (await vault.entries('registry')).has('default')) return
  await vault.update('registry', 'default', () => place)
}

/** What was seen of its histories is kept in the vault, where there is one: what is rewritten later is found out. */
export const clientAt = (vault: Vault | undefined, { url, ca }: RegistryPlace): RegistryClient =>
  createRegistryClient({
    url,
    fetch: fetchOver(ca),
    pins: vault === undefined ? memoryPins() : vaultPins(vault),
  })

/** @throws Usage where nobody said which */
export async function registryAt(
  vault: Vault | undefined,
  options: { readonly registry?: string; readonly ca?: string },
): Promise<{ readonly place: RegistryPlace; readonly client: RegistryClient }> {
  const place = await registryPlace(vault, options)
  if (place === undefined)
    throw new Usage(
      'which registry? Give --registry URL, and --ca FILE where its authority is not the platform’s',
    )
  return { place, client: clientAt(vault, place) }
}

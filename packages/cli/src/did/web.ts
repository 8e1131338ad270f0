import { didWebUrl, namedDocument, parseDid } from 'athkit/did'
import { HandshakeError } from 'athkit/errors'
import type { Command } from 'commander'
import { writeText } from '../files.ts'
import { asJson } from '../options.ts'
import { run } from '../outcome.ts'
import { Usage } from '../trouble.ts'
import { openOrMakeVault } from '../vault.ts'

export function webCommand(did: Command): void {
  did
    .command('web <host>')
    .description(
      'be did:web: write the document that HOST is to publish, such as shop.example or shop.example/agents/one',
    )
    .requiredOption('--out <file>', 'where to write it')
    .addOption(asJson())
    .action((host: string, { out, json }: { out: string; json?: true }) =>
      run(
        json === true,
        () => web(host, out),
        ({ did, url }) => `${did} is the vault’s identity. Publish ${out} at ${url}`,
      ),
    )
}

async function web(host: string, out: string) {
  const { did, url } = placeOf(host)
  const vault = await openOrMakeVault()
  const { did: before, signer } = await vault.identity()
  if (before !== did && parseDid(before).form !== 'key') {
    throw new Usage(`this vault is ${before} already: ATH_VAULT names another one`)
  }
  const document = namedDocument(did, { authentication: [signer.publicKey], capabilityInvocation: [] })
  writeText(out, `${JSON.stringify(document, null, 2)}\n`)
  await vault.become(did)
  return { ok: true, did, url, out, kid: signer.publicKey.thumbprint }
}

/** @throws Usage for what nobody could resolve */
function placeOf(text: string): { readonly did: string; readonly url: string } {
  const [host = '', ...path] = text
    .replace(/^https:\/\//, '')
    .replace(/\/+$/, '')
    .split('/')
  const did = ['did:web', host.replace(':', '%3A'), ...path].join(':')
  try {
    return { did, url: didWebUrl(did).href }
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    throw new Usage(
      `${text} is no host with a name, such as shop.example, shop.example:8443 or shop.example/agents/one`,
    )
  }
}

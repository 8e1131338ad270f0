import { Option } from 'commander'
import { didIn } from './arguments.ts'

/** Options that several commands have, in the same words everywhere. */
export const asJson = (): Option => new Option('--json', 'the outcome as one line of JSON at the end')

export const withCa = (): Option =>
  new Option('--ca <file>', 'certificates of the authorities to trust, PEM; the platform’s without it')

export const ofServer = (text = 'the one server that it may be'): Option =>
  new Option('--server <did>', text).argParser(didIn)

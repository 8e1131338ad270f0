import type { ServiceEvent } from './events.ts'

/** Four methods, object first: a pino logger fits, and so does any that is wrapped in a line. */
export interface Logger {
  debug(what: object, message: string): void
  info(what: object, message: string): void
  warn(what: object, message: string): void
  error(what: object, message: string): void
}

type Level = keyof Logger

/** What is not told at `info`: what goes wrong, what strangers can cause at will, and what happens all the time. */
const LEVELS: ReadonlyMap<ServiceEvent['type'], Level> = new Map<ServiceEvent['type'], Level>([
  ['failed', 'error'],
  ['warning', 'warn'],
  ['restriction_violated', 'warn'],
  ['handshake_started', 'debug'],
  ['session_confirmed', 'debug'],
  ['spent', 'debug'],
])

/** Writes an event down. None holds a token, a key or a credential; an exception stands under `err`. */
export function logEvent(logger: Logger, event: ServiceEvent): void {
  const { type, ...rest } = event
  if (event.type === 'failed') {
    logger.error({ event: type, where: event.where, err: event.cause }, `${event.where} failed`)
    return
  }
  const level = event.type === 'refused' ? levelOfRefusal(event) : (LEVELS.get(type) ?? 'info')
  logger[level](
    { event: type, ...rest },
    event.type === 'warning' ? event.message : type.replaceAll('_', ' '),
  )
}

/** Before anybody has proven who they are, anybody can cause a refusal. */
const levelOfRefusal = ({
  handshakeId,
  grantId,
}: Extract<ServiceEvent, { readonly type: 'refused' }>): Level =>
  handshakeId === undefined && grantId === undefined ? 'debug' : 'info'

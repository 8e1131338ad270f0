export { handleSealed } from './endpoint.ts'
export type { SealedBody, SealedMessage } from './receive.ts'

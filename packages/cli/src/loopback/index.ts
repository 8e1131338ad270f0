/** For servers on this machine alone: examples, tests, a registry to try things with. */
export { type Fetch, fetchOver } from '../fetch.ts'
export { authoritiesWith } from './authorities.ts'
export { type LocalCertificates, makeLocalCertificates } from './certificates.ts'
export { type Listening, listenOnLoopback, type ServerCertificate } from './listen.ts'

/** For servers on this machine alone: examples, tests, a registry to try things with. */
export { type LocalCertificates, makeLocalCertificates } from './certificates.ts'
export { type Listening, listenOnLoopback, type ServerCertificate } from './listen.ts'

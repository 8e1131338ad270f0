/** Where other programs of this repository look for them. */
export { type LocalCertificates, makeLocalCertificates } from '@athkit/cli/loopback'

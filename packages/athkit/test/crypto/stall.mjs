// Makes keys of every kind, without a pause in between.
import { port } from '../../dist/crypto/port-node.js'

for (let i = 0; i < 3000; i++) port.generateShare('ECDH-P256')
for (let i = 0; i < 1000; i++) port.generateKeyPair('ES256', true)
for (let i = 0; i < 1000; i++) port.generateShare('ECDH-X25519')
for (let i = 0; i < 1000; i++) port.generateKeyPair('EdDSA', true)
console.log('done')

export { handleSealed } from './endpoint.ts'

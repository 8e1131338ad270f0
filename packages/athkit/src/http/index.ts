export { dispatch, type Handler, type Host } from './dispatch.ts'
export { createHandler } from './handler.ts'

export { createHandler, type Handler } from './handler.ts'

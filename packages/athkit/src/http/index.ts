export { dispatch, type Handler, type Host, isAt } from './dispatch.ts'
export { createHandler, endpointsOf } from './handler.ts'
export { createHealth, type HealthOptions } from './health.ts'

export * from './eventually.ts'
export * from './proxy.ts'

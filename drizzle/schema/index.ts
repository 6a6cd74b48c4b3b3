// The one barrel: drizzle-kit and the client want the whole schema as a single object.
export * from './accounts.ts'
export * from './chains.ts'
export * from './changes.ts'
export * from './endpoints.ts'
export * from './requests.ts'
export * from './usage.ts'

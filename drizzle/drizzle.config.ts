// Read by drizzle-kit only, which scripts/migration.ts runs; drizzle/migrate.ts applies what it writes.
import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'mysql',
  schema: './drizzle/schema/index.ts',
  out: './drizzle/migrations'
})

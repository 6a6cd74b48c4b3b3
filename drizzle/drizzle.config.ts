// Read by drizzle-kit only (`npx drizzle-kit generate --config drizzle/drizzle.config.ts`); see drizzle/migrations/README.md.
import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'mysql',
  schema: './drizzle/schema/index.ts',
  out: './drizzle/migrations'
})

// `node scripts/migration.ts <name>`: writes the SQL for what changed in drizzle/schema, for a person to read and
// commit. drizzle-kit generates one file; it is split here into one statement per file, because DDL in MySQL is not
// transactional: a migration that stops half-way then always stops between two files, never inside one.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const folder = join(root, 'drizzle/migrations')
const name = process.argv[2]
if (name === undefined || !/^[a-z0-9_]+$/.test(name)) {
  process.stderr.write('usage: node scripts/migration.ts <name_of_the_change>\n')
  process.exit(64)
}

const before = new Set(readdirSync(folder))
const kit = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/drizzle-kit/bin.cjs'),
    'generate',
    '--config',
    'drizzle/drizzle.config.ts',
    '--name',
    name
  ],
  { cwd: root, stdio: 'inherit' }
)
if (kit.status !== 0) process.exit(kit.status ?? 1)

const generated = readdirSync(folder).find((file) => file.endsWith('.sql') && !before.has(file))
if (generated !== undefined) {
  const statements = readFileSync(join(folder, generated), 'utf8').split('--> statement-breakpoint')
  rmSync(join(folder, generated))
  const number = generated.slice(0, 4)
  statements.forEach((statement, index) => {
    const sql = statement.trim()
    const file = `${number}.${String(index + 1).padStart(2, '0')}_${titleOf(sql)}.sql`
    writeFileSync(join(folder, file), `${sql.replaceAll('\t', '  ')}\n`)
    process.stdout.write(`${file}\n`)
  })
}

/** `CREATE INDEX `a` ON …` → `create_index_a`. */
function titleOf(sql: string): string {
  const words = sql.match(/^(?:[A-Z]+ )+`(\w+)`(?: ([A-Z]+)[^`]*`(\w+)`)?/)
  const verb = sql.split('`')[0]?.trim().replaceAll(' ', '_') ?? 'statement'
  const detail = words?.[2] === 'ADD' || words?.[2] === 'DROP' ? `_${words[2]}_${words[3]}` : ''
  return `${verb}_${words?.[1] ?? ''}${detail}`.toLowerCase()
}

// Column types that every table shares. Each one fixes what MySQL 8 and MariaDB would otherwise decide
// differently: the collation of an id or an email (a case-insensitive one would let `KEY_A` open what
// `key_a` owns), the time zone of a moment, and JSON (a type in MySQL, an alias of LONGTEXT in MariaDB).
import { customType, datetime } from 'drizzle-orm/mysql-core'

/** Opaque public id, e.g. `key_01jd…`: ASCII, compared byte by byte. */
export const id = customType<{ data: string; driverData: string }>({
  dataType: () => 'varchar(40) CHARACTER SET ascii COLLATE ascii_bin'
})

/** A short ASCII word from a closed set that the code owns (a status, a role, a kind). */
export const word = customType<{ data: string; driverData: string }>({
  dataType: () => 'varchar(64) CHARACTER SET ascii COLLATE ascii_bin'
})

/** What a person calls something: up to 100 characters of any script. */
export const label = customType<{ data: string; driverData: string }>({
  dataType: () => 'varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'
})

/** The beginning of a text from outside: up to 512 characters of any script. */
export const excerpt = customType<{ data: string; driverData: string }>({
  dataType: () => 'varchar(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'
})

/** An email address, already normalised by who writes it; compared byte by byte. */
export const email = customType<{ data: string; driverData: string }>({
  dataType: () => 'varchar(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'
})

/** A SHA-256 digest. */
export const digest = customType<{ data: Buffer; driverData: Buffer }>({
  dataType: () => 'binary(32)'
})

/** Bytes sealed by secret-box. */
export const sealed = customType<{ data: Buffer; driverData: Buffer }>({
  dataType: () => 'varbinary(4096)'
})

/** A moment in UTC with milliseconds. */
export const moment = (name: string) => datetime(name, { mode: 'date', fsp: 3 })

/** A JSON value kept as text: parsed and written here, so both servers behave the same. */
export const jsonText = <T>(name: string) =>
  customType<{ data: T; driverData: string }>({
    dataType: () => 'text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
    toDriver: (value) => JSON.stringify(value),
    fromDriver: (text) => JSON.parse(text)
  })(name)

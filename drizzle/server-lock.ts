// Names of locks that GET_LOCK takes. They are known to the whole server, so the name of the database is part of them,
// hashed because a name may have at most 64 characters. SHA2 alone is left in MySQL 9.7: MD5 and SHA1 are gone from it.

/** An SQL expression. @param purpose at most 20 characters of a-z and _. */
export function lockNameOf(purpose: string): string {
  if (!/^[a-z_]{1,20}$/.test(purpose)) throw new Error(`${purpose} cannot name a lock`)
  return `CONCAT('sluice_${purpose}:', LEFT(SHA2(DATABASE(), 256), 32))`
}

// CSV as RFC 4180 has it, safe to open in a spreadsheet: a text that a spreadsheet would take for a formula is preceded by
// an apostrophe (names of methods come from whoever calls).

export type Cell = string | number | null

/** Lines end in CRLF, the last one too. Null is an empty field. */
export function toCsv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  let text = ''
  for (const row of [header, ...rows]) text += `${row.map(fieldOf).join(',')}\r\n`
  return text
}

function fieldOf(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  const text = /^[=+\-@\t\r\n]/.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

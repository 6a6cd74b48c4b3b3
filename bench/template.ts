// Fills the gaps of a peer's configuration: `{{name}}` becomes its value.

/** Throws when a gap has no value, or a value no gap: a typing error would otherwise be measured. */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  const unused = new Set(Object.keys(values))
  const filled = text.replace(/\{\{(\w+)\}\}/g, (_gap, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`nothing is known of {{${name}}}`)
    unused.delete(name)
    return String(value)
  })
  if (unused.size > 0) throw new Error(`there is no {{${[...unused].join('}}, {{')}}}`)
  return filled
}

// The days of a time zone, as whole hours of UTC, because that is what the hour table can add up. A day is as long as it
// really is: 23 or 25 hours when clocks change. An hour belongs to the day in which it ends, so in a zone whose offset is
// not whole hours (India, Newfoundland) a day begins at the full hour before its midnight.

const hourMs = 3_600_000

/** Whether a name is known to the time zone database that came with this process. */
export function isTimeZone(name: string): boolean {
  try {
    formatterOf(name)
    return true
  } catch {
    return false
  }
}

/** The starts of the days that hold `from` until `to`, and the end of the last. Milliseconds, full hours of UTC. */
export function zoneDayBounds(zone: string, from: number, to: number): number[] {
  const formatter = formatterOf(zone)
  const dayOf = (hour: number) => formatter.format(hour + hourMs - 1)
  let hour = Math.floor(from / hourMs) * hourMs
  while (dayOf(hour - hourMs) === dayOf(hour)) hour -= hourMs
  const bounds = [hour]
  while (hour < to) {
    const day = dayOf(hour)
    // No zone has ever had a day of less than 22 hours that was not skipped whole.
    hour += 22 * hourMs
    while (dayOf(hour) === day) hour += hourMs
    bounds.push(hour)
  }
  return bounds
}

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', {
    timeZone,
    year: 'numeric',
    month: 'numeric',
    day: 'numeric'
  })
}

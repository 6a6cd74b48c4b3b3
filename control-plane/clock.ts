// The wall clock, as everything here receives it, so that tests can move it. Moments are kept in UTC with milliseconds.
export type Clock = () => Date

export const systemClock: Clock = () => new Date()

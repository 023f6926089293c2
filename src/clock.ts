/** The wall clock, handed down so that tests can stand in for it. */
export type Now = () => Date

export const systemNow: Now = () => new Date()

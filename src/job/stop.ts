/** Ends what a `start…` function began, and resolves when nothing of it is left. */
export type Stop = () => Promise<void>

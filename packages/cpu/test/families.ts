/** Families of vectors that one of the two specs replays, so that both take about as long. */
export const FLOAT_FAMILIES: readonly string[] = ['mmx', 'sse', 'sse2', 'x87'];

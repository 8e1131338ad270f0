const rows: (readonly [what: string, ratio: string, detail: string])[] = []

/** A row of the table: what was compared, the ratio, and what it is made of. */
export const row = (what: string, ratio: string, detail: string) => rows.push([what, ratio, detail])

export function printTable(): void {
  const widths = [0, 1].map((column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)))
  for (const [what, ratio, detail] of rows) {
    console.log(`${what.padEnd(widths[0] ?? 0)}  ${ratio.padStart(widths[1] ?? 0)}  ${detail}`)
  }
}

export const median = (values: readonly number[]): number => percentile(values, 0.5)

export const percentile = (values: readonly number[], part: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ??
  Number.NaN

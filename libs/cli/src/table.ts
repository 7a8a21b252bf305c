/** Columns that line up. The last one may be as long as it likes. */
import { dim } from './style.ts';

const GAP = '  ';

export function table(header: string[], rows: string[][]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column]!)))
      .join(GAP)
      .trimEnd();
  return [dim(line(header)), ...rows.map(line)].join('\n');
}

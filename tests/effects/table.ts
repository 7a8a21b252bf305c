/** The kill matrix for people: a row a point and victim, a column an effect kind. */
import type { Cell } from './matrix.ts';
import { KINDS, POINTS, VICTIMS } from './points.ts';

export function markdown(cells: readonly Cell[]): string {
  const lines = [
    `| killed | who dies | ${KINDS.join(' | ')} |`,
    `| --- | --- | ${KINDS.map(() => '---').join(' | ')} |`,
  ];
  for (const point of POINTS) {
    for (const victim of VICTIMS) {
      const row = KINDS.map((kind) => {
        const cell = cells.find((it) => it.kind === kind && it.point === point && it.victim === victim);
        if (!cell) return '–';
        const asked = cell.asked > 0 ? `, asked ${cell.asked}` : '';
        return cell.wrong ? `**wrong: ${cell.wrong}**` : `${kind === 'pure' ? 'answered' : cell.effects}${asked}`;
      });
      if (row.some((entry) => entry !== '–')) lines.push(`| ${point} | ${victim} | ${row.join(' | ')} |`);
    }
  }
  return lines.join('\n');
}

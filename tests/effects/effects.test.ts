/**
 * A part of the kill matrix on real processes: where most is at stake, and where the bus itself dies. All of it is
 * `npm run effects`. Beside it, that the matrix sees what is wrong: a cell that does it twice, or asks in vain, counts.
 */
import { expect, test } from 'vitest';
import { FrameReader } from './frames.ts';
import { type Cell, killMatrix, mayAsk, summary } from './matrix.ts';
import { markdown } from './table.ts';

test('tools die after an effect and before its record, the bus with an intent under way: nothing is done twice', async () => {
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  const { cells, folder } = await killMatrix({
    pairs: [
      ['after effect', 'tools'],
      ['after intent', 'bus'],
    ],
    log,
  });
  expect({ lines, folder, wrong: cells.filter(({ wrong }) => wrong) }).toEqual({ lines, folder: undefined, wrong: [] });
  expect(cells.length).toBe(7);
  expect(summary(cells)).toBe('effects 6, asked 1, wrong 0');
}, 420_000);

test('what is wrong is counted, and stands in the table', () => {
  const cell: Cell = {
    kind: 'keyed',
    point: 'after effect',
    victim: 'bus',
    effects: 1,
    asked: 0,
    wrong: undefined,
    seconds: 1,
  };
  const cells = [
    cell,
    { ...cell, kind: 'pure' as const, effects: 2 },
    { ...cell, kind: 'probeable' as const, effects: 2, wrong: 'done 2 times' },
  ];
  expect(summary(cells)).toBe('effects 3, asked 0, wrong 1');
  expect(markdown(cells).split('\n').at(-1)).toBe(
    '| after effect | bus | answered | 1 | **wrong: done 2 times** | – |',
  );
  expect(mayAsk('keyed', 'after effect', 'tools')).toBe(false);
  expect(mayAsk('irreversible', 'after effect', 'tools')).toBe(true);
  expect(mayAsk('irreversible', 'after intent', 'bus')).toBe(false);
});

test('frames of the bus are told apart however they are cut', () => {
  const text = 'PUB a.b in.1 5\r\nhello\r\nHMSG c 7 12 15\r\nNATS/1.0\r\n\r\nxyz\r\nPING\r\nMSG d 9 in.2 0\r\n\r\n';
  for (let size = 1; size <= text.length; size++) {
    const reader = new FrameReader();
    const frames = [];
    for (let at = 0; at < text.length; at += size) frames.push(...reader.read(Buffer.from(text.slice(at, at + size))));
    expect(frames.map(({ subject, reply, payload }) => [subject, reply, payload])).toEqual([
      ['a.b', 'in.1', 'hello'],
      ['c', '', 'xyz'],
      ['', '', ''],
      ['d', 'in.2', ''],
    ]);
    expect(Buffer.concat(frames.map(({ raw }) => raw)).toString()).toBe(text);
  }
});

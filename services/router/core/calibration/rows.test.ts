/** Labelled asks: those that the repository makes, those of a file, those of journals, and the picture that comes of them. */
import { describe, expect, it } from 'vitest';
import { FAMILIES, makeAsks } from './asks/index.ts';
import { calibrate } from './calibrate.ts';
import { madeRows, madeSet, PRICES, SEED, TARGET } from './made-set.ts';
import { drawCurve } from './picture.ts';
import { snippetOf } from './report.ts';
import { filled, LabelledRow, readRows } from './row.ts';
import { chanceOf, labelsOf } from './simulated-models.ts';
import { rowsOfJournal } from './traffic.ts';

describe('the set that the repository makes', () => {
  const set = madeSet(SEED, 40);

  it('is the same for a seed and another for another, and has every kind', () => {
    expect(madeSet(SEED, 40)).toEqual(set);
    expect(madeSet(2, 40)).not.toEqual(set);
    expect([...new Set(set.map(({ group }) => group))]).toEqual(Object.keys(FAMILIES));
    expect(Object.keys(FAMILIES).length).toBeGreaterThanOrEqual(30);
    for (const row of set) expect(LabelledRow.safeParse(row).success).toBe(true);
  });

  it('every ask has an answer that can be checked, and something to think of', () => {
    for (const { expected, load, chat } of makeAsks(SEED, 40)) {
      expect(load).toBeGreaterThan(0);
      expect(chat.messages.at(-1)!.role).toBe('user');
      if (expected.kind === 'number') expect(Number.isFinite(expected.value)).toBe(true);
      if (expected.kind === 'words') {
        expect(expected.all.every((word) => word !== '')).toBe(true);
        expect(expected.none ?? []).not.toContain(expected.all[0]);
      }
      if (expected.kind === 'order')
        for (const [first, second] of expected.before)
          expect(expected.names.indexOf(first)).toBeLessThan(expected.names.indexOf(second));
      if (expected.kind === 'tools') {
        const offered = chat.tools!.map(({ name }) => name);
        for (const name of expected.names) expect(offered).toContain(name);
      }
    }
  });

  it('no simulated model is better at a harder ask, and a larger one never worse at the same', () => {
    for (let load = 0; load < 12; load += 0.5) {
      expect(chanceOf('small', load)).toBeGreaterThan(chanceOf('small', load + 0.5));
      expect(chanceOf('medium', load)).toBeGreaterThanOrEqual(chanceOf('small', load));
      expect(chanceOf('large', load)).toBeGreaterThanOrEqual(chanceOf('medium', load));
    }
    for (const { small, medium, large } of labelsOf(makeAsks(SEED, 40), SEED)) {
      if (small) expect(medium).toBe(true);
      if (medium) expect(large).toBe(true);
    }
  });

  it('the features see the request alone: neither the kind nor the load nor the answer', () => {
    const text = (row: (typeof set)[number]) => JSON.stringify({ chat: row.chat, right: row.right });
    const stripped = set.map((row) => text(row)).join('\n');
    const [with_, without] = [set.map((row) => JSON.stringify(row)).join('\n'), stripped].map(
      (lines) => readRows(lines, 'x').rows,
    );
    expect(without!.map(({ features }) => features)).toEqual(with_!.map(({ features }) => features));
  });
});

describe('a file of labelled asks', () => {
  const good = { chat: { messages: [{ role: 'user', content: 'Hello' }] }, right: { small: true, large: true } };

  it('has requests or features, labels or shares of several tries, and empty lines', () => {
    const lines = [good, { features: { givens: 1.1 }, right: { small: 0.4, large: 1 } }].map((row) =>
      JSON.stringify(row),
    );
    const { rows, problems } = readRows(`${lines[0]}\n\n${lines[1]}\n`, 'asks.jsonl');
    expect(problems).toEqual([]);
    expect(rows.map(({ id }) => id)).toEqual(['asks.jsonl:1', 'asks.jsonl:3']);
    expect(rows[1]).toMatchObject({ features: { bias: 1, givens: 1.1, tools: 0 }, right: { small: 0.4, large: 1 } });
    expect(rows[0]!.right).toEqual({ small: 1, large: 1 });
  });

  it.each([
    ['{"chat"', /^f:1: is no JSON/],
    [JSON.stringify({ right: { small: true } }), /^f:1: needs either `chat` or `features`$/],
    [JSON.stringify({ ...good, features: {} }), /needs either/],
    [JSON.stringify({ ...good, right: {} }), /^f:1: right: says of no tier/],
    [JSON.stringify({ ...good, right: { small: 'yes' } }), /^f:1: right.small: /],
    [JSON.stringify({ ...good, right: { tiny: true } }), /^f:1: right: Unrecognized key/],
    [JSON.stringify({ ...good, right: { small: 2 } }), /^f:1: right.small: /],
    [JSON.stringify({ ...good, chat: { messages: [] } }), /^f:1: chat.messages: /],
    [JSON.stringify({ features: { glow: 1 }, right: { small: true } }), /^f:1: features/],
  ])('%s', (line, message) => {
    const { problems } = readRows(line, 'f');
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(message);
  });

  it('with many mistakes: the first ones, and how many more', () => {
    const { problems } = readRows('x\n'.repeat(30), 'f');
    expect(problems).toHaveLength(11);
    expect(problems.at(-1)).toBe('and 20 more');
  });

  it('what a model gets right better ones do too; what one gets wrong worse ones do too; what is known stays', () => {
    const tiers = ['small', 'medium', 'large'] as const;
    expect(filled({ small: 1 }, tiers)).toEqual({ small: 1, medium: 1, large: 1 });
    expect(filled({ large: 0 }, tiers)).toEqual({ small: 0, medium: 0, large: 0 });
    expect(filled({ medium: 1 }, tiers)).toEqual({ medium: 1, large: 1 });
    expect(filled({ small: 1, large: 0 }, tiers)).toEqual({ small: 1, medium: 1, large: 0 });
    expect(filled({ medium: 0.5 }, tiers)).toEqual({ medium: 0.5 });
    // of a model that nobody has nothing is taken
    expect(filled({ small: 1 }, ['small', 'large'])).toEqual({ small: 1, large: 1 });
  });
});

describe('journals', () => {
  const tierOf = (model: string) => ({ tiny: 'small' as const, big: 'large' as const })[model];
  const attempt = (model: string, error?: string) => ({
    model,
    provider: 'p',
    ok: error === undefined,
    ...(error ? { error } : {}),
    durationMs: 5,
  });
  let n = 0;
  const entry = (completion: object, run = 'run_1') => {
    n += 1;
    return JSON.stringify({
      run,
      n,
      at: 0,
      type: 'step.completed',
      callId: `call_${n}`,
      result: {
        kind: 'complete',
        purpose: 'act',
        completion: {
          message: { role: 'assistant', content: 'A word that nobody may see in a row.' },
          finishReason: 'stop',
          usage: { inputTokens: 100, outputTokens: 20 },
          model: 'tiny',
          provider: 'p',
          route: {
            asked: 'auto',
            tier: 'small',
            difficulty: 0.1,
            features: { givens: 1.1, length: 2 },
            reason: 'auto',
          },
          attempts: [attempt('tiny')],
          ...completion,
        },
      },
    });
  };
  const labels = (text: string, judgements: Parameters<typeof rowsOfJournal>[3] = []) =>
    rowsOfJournal(text, 'j', tierOf, judgements).rows.map(({ right }) => right);

  it('an answer that passed its checks was right, one that was asked again or escalated was wrong at first', () => {
    expect(labels(entry({}))).toEqual([{ small: true }]);
    expect(labels(entry({ attempts: [attempt('tiny', 'invalid_answer: /nights'), attempt('tiny')] }))).toEqual([
      { small: false },
    ]);
    const escalated = { model: 'big', attempts: [attempt('tiny', 'ungrounded: …'), attempt('big')] };
    expect(labels(entry(escalated))).toEqual([{ small: false, large: true }]);
    for (const note of ['refused', 'truncated', 'not_verified'])
      expect(labels(entry({ notes: [note] }))).toEqual([{ small: false }]);
  });

  it('an outage says nothing of a model', () => {
    const down = { model: 'big', attempts: [attempt('tiny', 'server_error: 503'), attempt('big')] };
    expect(labels(entry(down))).toEqual([{ large: true }]);
  });

  it('what somebody says of a call, or of a run, counts instead', () => {
    const text = `${entry({}, 'run_a')}\n${entry({}, 'run_a')}\n${entry({}, 'run_b')}`;
    const call = `call_${n}`;
    expect(labels(text, [{ run: 'run_a', right: false }])).toEqual([
      { small: true },
      { small: false },
      { small: true },
    ]);
    expect(labels(text, [{ call, right: false }])).toEqual([{ small: true }, { small: true }, { small: false }]);
  });

  it('passes over what was not chosen by difficulty, given from a cache, or answered offline, and says how many', () => {
    const { route: _, ...rest } = JSON.parse(entry({})).result.completion;
    const text = [
      entry({ route: { asked: 'tiny', reason: 'a model by its name' } }),
      entry({ cached: 'exact' }),
      entry({ model: 'offline', degraded: true, attempts: [attempt('offline')] }),
      JSON.stringify({ run: 'run_1', n: 9, at: 0, type: 'step.requested', callId: 'c', step: { kind: 'recall' } }),
    ].join('\n');
    expect(rest).toBeDefined();
    expect(rowsOfJournal(text, 'j', tierOf)).toEqual({
      rows: [],
      passed: { 'not chosen by difficulty': 1, 'answered before': 1, 'answered by no model of the bundle': 1 },
      problems: [],
    });
  });

  it('a row has nothing of what was said, and is a labelled ask', () => {
    const [row] = rowsOfJournal(entry({}), 'j', tierOf).rows;
    expect(row).toEqual({
      id: `call_${n}`,
      features: { givens: 1.1, length: 2 },
      right: { small: true },
      tokens: { input: 100, output: 20 },
    });
    expect(LabelledRow.safeParse(row).success).toBe(true);
  });

  it('names the line that is no entry', () => {
    const { problems } = rowsOfJournal(`${entry({})}\nnonsense\n{"a":1}\n${entry({ usage: {} })}`, 'j', tierOf);
    expect(problems).toEqual([
      expect.stringMatching(/^j:2: is no JSON/),
      expect.stringMatching(/^j:3: is no entry of a journal/),
      expect.stringMatching(/^j:4: result\.completion\.usage\.inputTokens: /),
    ]);
  });
});

describe('what comes of it', () => {
  const found = calibrate(madeRows(SEED, 20), { seed: SEED, target: TARGET, prices: PRICES });

  it('the picture names what it shows, is well-formed, and has colours for dark pages', () => {
    const svg = drawCurve(found, 'Cost & quality', 'a "note" <here>');
    expect(svg).toContain('prefers-color-scheme: dark');
    for (const text of ['small alone', 'large alone', 'Cost &amp; quality', 'by lot']) expect(svg).toContain(text);
    const open: string[] = [];
    for (const [, close, name, self] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
      if (close) expect(open.pop()).toBe(name);
      else if (!self) open.push(name!);
    }
    expect(open).toEqual([]);
    const places = [...svg.matchAll(/\b(?:cx|cy|x|y)="(-?[\d.]+|NaN)"/g)].map(([, value]) => Number(value));
    for (const place of places) expect(place >= 0 && place <= 760).toBe(true);
  });

  it('the lines for models.yaml have every weight and both thresholds', () => {
    const yaml = snippetOf(found);
    for (const [name, weight] of Object.entries(found.weights)) expect(yaml).toContain(`${name}: ${weight}`);
    expect(yaml).toContain(`medium: ${found.thresholds.medium}\n`);
  });
});

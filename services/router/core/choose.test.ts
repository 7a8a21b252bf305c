import { describe, expect, it } from 'vitest';
import { choose, type Health, type Question, type Rule, type TargetHealth } from './choose.ts';
import { costOf, type Endpoint, type ModelEntry } from './model.ts';
import { DEFAULT_THRESHOLD_OF_TWO, DEFAULT_THRESHOLDS } from './routing-defaults.ts';

const way = (provider: string, more: Partial<Endpoint> = {}): Endpoint => ({
  provider,
  model: 'm',
  weight: 1,
  priority: 0,
  labels: [],
  price: { input: 1, output: 1 },
  keys: ['KEY'],
  ...more,
});
const entry = (id: string, more: Partial<ModelEntry> = {}): ModelEntry => ({
  id,
  description: '',
  abilities: ['tools', 'jsonSchema'],
  endpoints: [way('openai')],
  lastResort: false,
  ...more,
});
const offline = entry('offline', {
  endpoints: [way('offline', { keys: [''], price: { input: 0, output: 0 } })],
  lastResort: true,
});
const healthy: Health = () => undefined;
const question = (more: Partial<Question> = {}): Question => ({
  model: 'auto',
  callId: 'call_1',
  needs: [],
  fallback: true,
  ...more,
});
const candidatesOf = (...args: Parameters<typeof choose>) => choose(...args)?.candidates;
const ids = (...args: Parameters<typeof choose>) =>
  candidatesOf(...args)?.map(({ entry: { id }, kept }) => (kept ? id : `-${id}`));
const ways = (...args: Parameters<typeof choose>) =>
  candidatesOf(...args)?.map(({ endpoint: { provider }, kept }) => (kept ? provider : `-${provider}`));
const reasons = (...args: Parameters<typeof choose>) => candidatesOf(...args)?.map(({ reason }) => reason);

describe('names', () => {
  it('auto: the configured model first, the offline model as last resort', () => {
    expect(ids(question(), [entry('big'), offline], healthy)).toEqual(['big', 'offline']);
    expect(candidatesOf(question(), [offline], healthy)?.[0]?.reason).toBe('the only model there is');
  });

  it('without fallback the offline model never steps in for another, but answers when it is the only one or asked for', () => {
    const strict = question({ fallback: false });
    expect(ids(strict, [entry('big'), offline], healthy)).toEqual(['big']);
    expect(ids(strict, [offline], healthy)).toEqual(['offline']);
    expect(ids({ ...strict, model: 'offline' }, [entry('big'), offline], healthy)).toEqual(['offline']);
  });

  it('a name takes that model, and an unknown one none', () => {
    const catalogue = [entry('big'), entry('small-one'), offline];
    expect(ids(question({ model: 'small-one' }), catalogue, healthy)).toEqual(['small-one', 'offline']);
    expect(choose(question({ model: 'huge' }), catalogue, healthy)).toBeUndefined();
    expect(choose(question({ model: 'toString' }), catalogue, healthy)).toBeUndefined();
  });
});

describe('filters', () => {
  it('drop with a reason what cannot do it or is not well', () => {
    const catalogue = [
      entry('plain', { abilities: ['jsonSchema'] }),
      entry('sick', { endpoints: [way('s')] }),
      offline,
    ];
    const health: Health = (id) =>
      id.startsWith('s/') ? { blocked: 'left alone after 5 failures in a row' } : undefined;
    const asked = question({ needs: ['tools'] });
    expect(ids(asked, catalogue, health)).toEqual(['-plain', '-sick', 'offline']);
    expect(reasons(asked, catalogue, health)?.slice(0, 2)).toEqual([
      'cannot do tools',
      'left alone after 5 failures in a row',
    ]);
  });

  it('a window that the request cannot fit', () => {
    const catalogue = [entry('narrow', { contextTokens: 1_000 }), entry('wide', { contextTokens: 9_000 })];
    expect(ids(question({ inputTokens: 2_000 }), catalogue, healthy)).toEqual(['-narrow', 'wide']);
    expect(reasons(question({ inputTokens: 2_000 }), catalogue, healthy)?.[0]).toMatch('its window of 1000 tokens');
  });

  it('labelled data goes to providers that are cleared for every label, and the offline model is at home', () => {
    const model = entry('m', {
      endpoints: [way('abroad'), way('near', { labels: ['pii'] }), way('own', { labels: ['pii', 'secret'] })],
    });
    expect(ways(question({ labels: ['pii', 'secret'] }), [model, offline], healthy)?.sort()).toEqual([
      '-abroad',
      '-near',
      'offline',
      'own',
    ]);
    expect(reasons(question({ labels: ['pii', 'secret'] }), [model], healthy)).toContain(
      'is not cleared for pii, secret',
    );
  });

  it('regions of the agent and of the route both hold, and a provider without one is in none', () => {
    const model = entry('m', { endpoints: [way('eu', { region: 'eu' }), way('us', { region: 'us' }), way('none')] });
    expect(ways(question({ regions: ['eu'] }), [model], healthy)?.filter((w) => !w.startsWith('-'))).toEqual(['eu']);
    const rule: Rule = { name: 'r', objective: 'balanced', regions: ['us'] };
    expect(
      ways(question({ model: 'r', regions: ['eu'] }), [model], healthy, { r: rule })?.some((w) => !w.startsWith('-')),
    ).toBe(false);
  });

  it('nothing above the price ceiling is kept, by price and by what a call may cost', () => {
    const cheap = entry('cheap', { endpoints: [way('c', { price: { input: 0.1, output: 0.4 } })] });
    const dear = entry('dear', { endpoints: [way('d', { price: { input: 5, output: 20 } })] });
    const byPrice: Rule = { name: 'thrift', objective: 'balanced', priceMax: { output: 1 } };
    expect(ids(question({ model: 'thrift' }), [dear, cheap, offline], healthy, { thrift: byPrice })).toEqual([
      'cheap',
      '-dear',
      'offline',
    ]);
    const byCall: Rule = { name: 'thrift', objective: 'balanced', costUsdMax: 0.01 };
    const asked = question({ model: 'thrift', inputTokens: 1_000, outputTokensMax: 1_000 });
    expect(reasons(asked, [dear, cheap], healthy, { thrift: byCall })?.[1]).toBe(
      'may cost $0.0250, above the ceiling of $0.01 a call',
    );
  });

  it('a budget without room, and a provider without a key', () => {
    const catalogue = [entry('poor'), entry('bare', { endpoints: [way('x', { keys: [], problem: 'needs a key' })] })];
    const unaffordable = (model: string) => (model === 'poor' ? 'the budget has no room' : undefined);
    expect(reasons(question({ unaffordable }), catalogue, healthy)).toEqual(['the budget has no room', 'needs a key']);
  });
});

describe('tiers', () => {
  const catalogue = [
    entry('s', { tier: 'small', endpoints: [way('p', { price: { input: 0.1, output: 0.1 } })] }),
    entry('m', { tier: 'medium', endpoints: [way('p', { price: { input: 1, output: 1 } })] }),
    entry('l', { tier: 'large', endpoints: [way('p', { price: { input: 10, output: 10 } })] }),
    offline,
  ];
  it.each([
    [0.1, ['s', 'm', 'l', 'offline']],
    [0.5, ['m', 'l', 's', 'offline']],
    [0.9, ['l', 'm', 's', 'offline']],
  ])('auto at difficulty %d: the tier that is wanted, better ones, then worse ones', (difficulty, expected) => {
    const asked = question({ difficulty, thresholds: { medium: 0.35, large: 0.65 } });
    expect(ids(asked, catalogue, healthy)).toEqual(expected);
    expect(choose(asked, catalogue, healthy)?.reason).toMatch(`difficulty ${difficulty.toFixed(2)}`);
  });

  it('without a medium model, what is not for the small one is for the large one, and more is for the small one', () => {
    const two = catalogue.filter(({ id }) => id !== 'm');
    const difficulty = (DEFAULT_THRESHOLDS.medium + DEFAULT_THRESHOLD_OF_TWO) / 2;
    expect(ids(question({ difficulty }), catalogue, healthy)?.[0]).not.toBe('s');
    expect(ids(question({ difficulty }), two, healthy)?.[0]).toBe('s');
    expect(ids(question({ difficulty: DEFAULT_THRESHOLD_OF_TWO }), two, healthy)?.[0]).toBe('l');
    expect(ids(question({ difficulty, thresholds: { medium: 0, large: 0 } }), two, healthy)?.[0]).toBe('l');
  });

  it('one threshold alone: the other one gives way', () => {
    expect(ids(question({ difficulty: 0.7, thresholds: { medium: 0.6 } }), catalogue, healthy)?.[0]).toBe('l');
    expect(ids(question({ difficulty: 0.5, thresholds: { medium: 0.6 } }), catalogue, healthy)?.[0]).toBe('s');
    expect(ids(question({ difficulty: 0.5, thresholds: { large: 0.6 } }), catalogue, healthy)?.[0]).toBe('m');
  });

  it('a tier by its name, and thresholds of the bundle', () => {
    expect(ids(question({ model: 'large' }), catalogue, healthy)?.[0]).toBe('l');
    expect(ids(question({ difficulty: 0.5, thresholds: { medium: 0.6, large: 0.9 } }), catalogue, healthy)?.[0]).toBe(
      's',
    );
  });
});

describe('scores', () => {
  const one = entry('one', { endpoints: [way('a', { price: { input: 2, output: 2 } })], latencyMs: 500 });
  const two = entry('two', { endpoints: [way('b', { price: { input: 1, output: 1 } })], latencyMs: 5_000 });
  const rules = (objective: Rule['objective']) => ({ r: { name: 'r', objective, models: ['one', 'two'] } });
  it.each([
    ['cost', ['two', 'one']],
    ['latency', ['one', 'two']],
    ['order', ['one', 'two']],
  ] as const)('by %s', (objective, expected) => {
    expect(ids(question({ model: 'r', fallback: false }), [two, one], healthy, rules(objective))).toEqual(expected);
  });

  it('what is failing, or slower than it says, comes later', () => {
    const known = new Map<string, TargetHealth>([['a/m#KEY', { failureShare: 0.8 }]]);
    expect(ids(question({ model: 'r', fallback: false }), [one, two], (id) => known.get(id), rules('latency'))).toEqual(
      ['one', 'two'],
    );
    known.set('a/m#KEY', { failureShare: 0.5, latencyMs: 20_000 });
    expect(ids(question({ model: 'r', fallback: false }), [one, two], (id) => known.get(id), rules('latency'))).toEqual(
      ['two', 'one'],
    );
  });
});

describe('ways to one model', () => {
  const spread = (endpoints: Endpoint[], calls = 4_000) => {
    const counts = new Map<string, number>();
    for (let i = 0; i < calls; i++) {
      const first = ways(
        question({ model: 'm', callId: `call_${i}`, fallback: false }),
        [entry('m', { endpoints })],
        healthy,
      )![0]!;
      counts.set(first, (counts.get(first) ?? 0) + 1 / calls);
    }
    return (name: string) => counts.get(name) ?? 0;
  };

  it('go by priority first, then by weight, the same call always the same way', () => {
    const share = spread([way('a', { weight: 3 }), way('b', { weight: 1 }), way('standby', { priority: 1 })]);
    expect(share('a')).toBeCloseTo(0.75, 1);
    expect(share('b')).toBeCloseTo(0.25, 1);
    expect(share('standby')).toBe(0);
    const asked = question({ model: 'm', callId: 'call_7' });
    const model = entry('m', { endpoints: [way('a'), way('b'), way('c')] });
    expect(ways(asked, [model], healthy)).toEqual(ways(asked, [model], healthy));
  });

  it('a canary gets its percent and no more', () => {
    const share = spread([way('old'), way('new', { canaryPercent: 10 })]);
    expect(share('new')).toBeCloseTo(0.1, 1);
    expect(share('new')).toBeGreaterThan(0.05);
    expect(share('old')).toBeCloseTo(0.9, 1);
  });

  it('each is there once, kept or dropped', () => {
    const endpoints = [way('a', { weight: 0 }), way('b'), way('c', { priority: 3 }), way('d', { canaryPercent: 50 })];
    for (let i = 0; i < 50; i++) {
      const all = ways(
        question({ model: 'm', callId: `c${i}`, fallback: false }),
        [entry('m', { endpoints })],
        healthy,
      )!;
      expect([...all].sort()).toEqual(['a', 'b', 'c', 'd']);
      expect(all.at(-1)).toBe('c');
    }
  });

  it('keys take turns, and a blocked one is left out', () => {
    const model = entry('m', { endpoints: [way('p', { keys: ['A', 'B', 'C'] })] });
    const firsts = new Set<string>();
    for (let i = 0; i < 60; i++)
      firsts.add(candidatesOf(question({ callId: `c${i}` }), [model], healthy)![0]!.targets[0]!.key);
    expect([...firsts].sort()).toEqual(['A', 'B', 'C']);
    const without = candidatesOf(question(), [model], (id) => (id.endsWith('#B') ? { blocked: 'sick' } : undefined))!;
    expect(without[0]!.targets.map(({ key }) => key).sort()).toEqual(['A', 'C']);
  });
});

it('prices are per million tokens, of each kind', () => {
  const usage = { inputTokens: 500_000, outputTokens: 100_000 };
  expect(costOf({ input: 2, output: 10 }, usage)).toBe(2);
  const detailed = { ...usage, cachedInputTokens: 400_000, reasoningTokens: 50_000 };
  expect(costOf({ input: 2, output: 10, cachedInput: 0.5, reasoning: 20 }, detailed)).toBeCloseTo(0.2 + 0.2 + 0.5 + 1);
  expect(costOf({ input: 2, output: 10 }, detailed)).toBe(2);
});

it('a window that holds it all comes before one for which something is left out', () => {
  const catalogue = [entry('narrow', { contextTokens: 1_000 }), entry('wide', { contextTokens: 10_000 })];
  expect(ids(question({ inputTokens: 2_000, neededTokens: 500 }), catalogue, healthy)).toEqual(['wide', 'narrow']);
  expect(ids(question({ inputTokens: 900, neededTokens: 500 }), catalogue, healthy)).toEqual(['narrow', 'wide']);
});

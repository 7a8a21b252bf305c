import { describe, expect, it } from 'vitest';
import { choose } from './choose.ts';
import { costOf, type ModelEntry } from './model.ts';

const entry = (id: string, more: Partial<ModelEntry> = {}): ModelEntry => ({
  id,
  provider: 'openai',
  description: '',
  abilities: ['tools', 'json'],
  price: { input: 0, output: 0 },
  lastResort: false,
  ...more,
});
const offline = entry('offline', { provider: 'offline', lastResort: true });
const healthy = new Map();
const ids = (candidates: ReturnType<typeof choose>) =>
  candidates?.map(({ entry: { id }, kept }) => (kept ? id : `-${id}`));

describe('choose', () => {
  it('auto: the configured model first, the offline model as last resort', () => {
    const question = { model: 'auto', needs: [], fallback: true };
    expect(ids(choose(question, [entry('big'), offline], healthy))).toEqual(['big', 'offline']);
    expect(choose(question, [offline], healthy)?.[0]?.reason).toBe('the only model there is');
  });

  it('without fallback the offline model never steps in for another, but answers when it is the only one or asked for', () => {
    const question = { model: 'auto', needs: [], fallback: false };
    expect(ids(choose(question, [entry('big'), offline], healthy))).toEqual(['big']);
    expect(ids(choose(question, [offline], healthy))).toEqual(['offline']);
    expect(ids(choose({ ...question, model: 'offline' }, [entry('big'), offline], healthy))).toEqual(['offline']);
  });

  it('a name takes that model, and an unknown one none', () => {
    const catalogue = [entry('big'), entry('small'), offline];
    expect(ids(choose({ model: 'small', needs: [], fallback: true }, catalogue, healthy))).toEqual([
      'small',
      'offline',
    ]);
    expect(choose({ model: 'huge', needs: [], fallback: true }, catalogue, healthy)).toBeUndefined();
  });

  it('drops with a reason what cannot do it or is not well', () => {
    const catalogue = [entry('plain', { abilities: ['json'] }), entry('sick'), offline];
    const health = new Map([['sick', { blocked: 'left alone after 5 failures in a row' }]]);
    const candidates = choose({ model: 'auto', needs: ['tools'], fallback: true }, catalogue, health);
    expect(ids(candidates)).toEqual(['-plain', '-sick', 'offline']);
    expect(candidates?.map(({ reason }) => reason).slice(0, 2)).toEqual([
      'cannot do tools',
      'left alone after 5 failures in a row',
    ]);
  });
});

it('prices are per million tokens', () => {
  const model = entry('big', { price: { input: 2, output: 10 } });
  expect(costOf(model, { inputTokens: 500_000, outputTokens: 100_000 })).toBe(2);
});

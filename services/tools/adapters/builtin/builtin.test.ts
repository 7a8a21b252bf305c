import { describe, expect, it } from 'vitest';
import { NO_GRANTS } from '../outbound/grants.ts';
import { createOutbound } from '../outbound/outbound.ts';
import { calculate } from './calculator.ts';
import { currentTime } from './current-time.ts';
import { createBuiltinSource } from './source.ts';

const value = (expression: string) => (calculate({ expression }).data as { result: number } | undefined)?.result;

describe('calculator', () => {
  it.each([
    ['1 + 2 * 3', 7],
    ['0.1 + 0.2', 0.3],
    ['(1249.50 + 3 * 189) * 1.19', 2161.635],
    ['200 * 15%', 30],
    ['mean(12, 15, 21)', 16],
    ['round(2 / 3, 2)', 0.67],
    ['sqrt(2)^2', 2],
    ['5!', 120],
    ['2 * pi', 6.2831853071796],
    ['1200 < 1400', 1],
    ['3 > 2 ? 10 : 20', 10],
  ])('%s = %s', (expression, expected) => expect(value(expression)).toBe(expected));

  it.each([
    ['x = 3', /assignments are not allowed/],
    ['f(x) = x', /not allowed/],
    ['import({a: 1})', /no function "import"/],
    ['cos.constructor("return 1")()', /./],
    ['ones(10000, 10000)', /no function "ones"/],
    ['evaluate("1")', /no function "evaluate"/],
    ['combinations(1e9, 5e8)', /no function/],
    ['price * 2', /"price" has no value/],
    ['cos', /"cos" has no value/],
    ['"a"', /only numbers/],
    ['1:1000000000', /ranges are not allowed/],
    ['1 / 0', /not a finite number/],
    ['2 +', /./],
    ['sqrt(-1)', /not a finite number/],
    [Array(300).fill('1').join('+'), /more than 200 parts/],
    ['3 km to m', /./],
    ['1; 2', /blocks are not allowed/],
    ['2 << 3', /not allowed/],
  ])('refuses %s', (expression, message) => {
    const result = calculate({ expression });
    expect(result.isError).toBe(true);
    expect(result.content).toMatch(message);
  });
});

describe('current_time', () => {
  const now = new Date('2026-11-22T23:30:05.000Z');
  it('tells date, time and weekday of the zone', () => {
    expect(currentTime({ timeZone: 'Asia/Tokyo' }, now).data).toEqual({
      iso: '2026-11-22T23:30:05.000Z',
      date: '2026-11-23',
      time: '08:30:05',
      weekday: 'Monday',
      timeZone: 'Asia/Tokyo',
    });
    expect(currentTime({}, now).data).toMatchObject({ date: '2026-11-22', timeZone: 'UTC' });
  });
  it('says that a zone is unknown', () => {
    expect(currentTime({ timeZone: 'Mars/Olympus' }, now)).toMatchObject({ isError: true });
  });
});

it('the source lists and calls them', async () => {
  const results = { keep: () => Promise.reject(new Error('not here')), read: async () => null };
  const outbound = createOutbound(NO_GRANTS);
  const source = createBuiltinSource({ outbound, responseBytesMax: 10_000, results, resultCharsMax: 10_000 });
  const { tools } = await source.list(AbortSignal.timeout(1_000));
  expect(tools.map((tool) => [tool.name, tool.effect])).toEqual([
    ['calculator', 'pure'],
    ['current_time', 'pure'],
    ['date_math', 'pure'],
    ['fetch_page', 'pure'],
    ['read_result', 'pure'],
    ['run_javascript', 'pure'],
  ]);
  const result = await source.call(
    'calculator',
    { expression: '6*7' },
    { signal: AbortSignal.timeout(1_000), timeoutMs: 1_000 },
  );
  expect(result.data).toEqual({ expression: '6 * 7', result: 42 });
});

/** What a line of the log has, and what it never has. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TuttiError } from '@tutti/contracts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createLogger, type Logger, logOf } from './log.ts';

let dir: string;
let log: Logger;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tutti-log-'));
  const environment = { OPENAI_API_KEY: 'key-of-this-process' };
  log = createLogger({ service: 'router' }, { level: 'debug', destination: join(dir, 'log'), environment });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function lines(count: number): Promise<Record<string, unknown>[]> {
  for (let tries = 0; tries < 200; tries++) {
    let text = '';
    try {
      text = readFileSync(join(dir, 'log'), 'utf8');
    } catch {}
    const found = text.split('\n').filter(Boolean);
    if (found.length >= count) return found.map((line) => JSON.parse(line));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('the lines did not come');
}

test('a line about a run has its id and its trace', async () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  log.warn({ ...logOf({ run: 'run_1', callId: 'call_1', traceparent }), code: 'timeout' }, 'a step failed');
  log.info(logOf({}), 'about nothing');
  const [first, second] = await lines(2);
  expect(first).toMatchObject({
    service: 'router',
    run: 'run_1',
    callId: 'call_1',
    trace_id: 'a'.repeat(32),
    span_id: 'b'.repeat(16),
    code: 'timeout',
    msg: 'a step failed',
  });
  expect(Object.keys(second!)).not.toContain('trace_id');
});

test('secrets of this process are in no line, whatever brought them there', async () => {
  log.warn({ url: 'https://x/?k=key-of-this-process', deep: { a: ['key-of-this-process'] } }, 'key-of-this-process');
  log.error({ err: new Error('refused: key-of-this-process') }, 'x');
  expect(JSON.stringify(await lines(2))).not.toContain('key-of-this-process');
});

test('errors say where and of what kind, and what only where the words are our own', async () => {
  class Quoting extends Error {
    override name = 'ModelFailure';
    readonly quotes = true;
  }
  const broken = (): unknown => JSON.parse('{"said": CANARY}');
  const thrown = (make: () => unknown): unknown => {
    try {
      make();
    } catch (error) {
      return error;
    }
    return undefined;
  };
  const parsed = thrown(() => z.object({ CANARY: z.string() }).parse({}));
  log.error({ err: new Quoting('the provider said CANARY') }, 'a');
  log.error({ err: new TuttiError('model_failed', 'it answered CANARY', { details: { said: 'CANARY' } }) }, 'b');
  log.error({ err: thrown(broken) }, 'c');
  log.error({ err: parsed }, 'd');
  log.error({ err: new Error('outer', { cause: new Quoting('CANARY') }) }, 'e');
  log.error({ error: new TuttiError('unavailable', 'no router service answers complete') }, 'f');
  const found = await lines(6);
  expect(JSON.stringify(found)).not.toContain('CANARY');
  expect(found[0]!.err).toMatchObject({ type: 'ModelFailure', stack: expect.stringContaining('log.test.ts') });
  expect(found[1]!.err).toMatchObject({ type: 'TuttiError', code: 'model_failed' });
  expect(found[4]!.err).toMatchObject({ message: 'outer', cause: { type: 'ModelFailure' } });
  expect(found[5]!.error).toMatchObject({ code: 'unavailable', message: 'no router service answers complete' });
});

import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createLocalSource, defineTool, type LocalTool, ToolRefusal } from './source.ts';

const kept: { text: string; key: string | undefined }[] = [];
const keep = defineTool({
  name: 'keep',
  description: 'Keeps a text.',
  effect: 'keyed',
  parameters: z.object({ text: z.string().min(1), times: z.number().int().default(1) }),
  returns: z.object({ kept: z.number() }),
  run({ text, times }, { idempotencyKey }) {
    if (text === 'no') throw new ToolRefusal('it is full');
    if (text === 'bad') throw new Error('disk');
    kept.push({ text: text.repeat(times), key: idempotencyKey });
    return { kept: kept.length };
  },
});
const wait = defineTool({
  name: 'wait',
  description: 'Waits.',
  parameters: z.object({}),
  run: () => new Promise<string>(() => {}),
});
const options = (more: object = {}) => ({ signal: AbortSignal.timeout(5_000), timeoutMs: 1_000, ...more });
const source = (tools: LocalTool[] | undefined = [keep, wait]) => createLocalSource(tools, 'mine');

describe('a tool that is a function', () => {
  it('has the schema of its parameters, before defaults, and counts as irreversible unless it says otherwise', async () => {
    const { tools } = await source().list(AbortSignal.timeout(1_000));
    expect(tools.map(({ name, effect }) => [name, effect])).toEqual([
      ['keep', 'keyed'],
      ['wait', 'irreversible'],
    ]);
    expect(tools[0]!.parameters).toMatchObject({ type: 'object', required: ['text'] });
    expect(tools[0]!.returns).toMatchObject({ properties: { kept: { type: 'number' } } });
  });
  it('gets parsed arguments and the key, and gives data', async () => {
    const result = await source().call('keep', { text: 'a' }, options({ idempotencyKey: 'call_1' }));
    expect(result).toEqual({ content: '{"kept":1}', isError: false, data: { kept: 1 } });
    expect(kept).toEqual([{ text: 'a', key: 'call_1' }]);
  });
  it('refuses, or fails', async () => {
    expect(await source().call('keep', { text: 'no' }, options())).toEqual({ content: 'it is full', isError: true });
    expect(await source().call('keep', { text: '' }, options())).toMatchObject({ isError: true });
    await expect(source().call('keep', { text: 'bad' }, options())).rejects.toMatchObject({ sent: 'maybe' });
  });
  it('is left when its time is over, or nobody waits', async () => {
    await expect(source().call('wait', {}, options({ timeoutMs: 50 }))).rejects.toMatchObject({ code: 'timeout' });
    const signal = AbortSignal.timeout(50);
    await expect(source().call('wait', {}, options({ signal }))).rejects.toMatchObject({ sent: 'maybe' });
  });
  it('a toolset that this process does not have is said so', async () => {
    await expect(createLocalSource(undefined, 'mine').list(AbortSignal.timeout(1))).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
    });
  });
});

import { Bundle, TuttiError } from '@tutti/contracts';
import { expect, it } from 'vitest';
import type { ToolSource } from '../ports/tool-source.ts';
import { FakeSource } from '../test-support/harness.ts';
import { createToolbox } from './toolbox.ts';

const schema = { type: 'object' };
const signal = () => AbortSignal.timeout(5_000);
function toolbox(sources: Record<string, ToolSource>, manifests: Record<string, object> = {}, listTtlMs = 60_000) {
  const bundle = Bundle.parse({
    v: 1,
    name: 'b',
    agents: {},
    tools: Object.fromEntries(Object.keys(sources).map((name) => [name, { type: 'builtin', ...manifests[name] }])),
    collections: {},
  });
  return createToolbox(bundle, {
    createSource: (name) => sources[name]!,
    callTimeoutMs: 1_000,
    listTtlMs,
    listTimeoutMs: 1_000,
  });
}
const tool = (name: string, effect: 'pure' | 'irreversible' = 'pure') => ({
  name,
  description: 'd',
  parameters: schema,
  effect,
});

it('what the bundle says wins over the source, and a probe must be a pure tool of the same source', async () => {
  const source = new FakeSource([tool('book', 'irreversible'), tool('find'), tool('wipe', 'irreversible')]);
  const box = toolbox(
    { s: source },
    {
      s: {
        prefix: 'p_',
        allow: ['book', 'wipe'],
        tools: {
          book: {
            effect: 'keyed',
            description: 'mine',
            tags: ['money'],
            timeoutMs: 5,
            probe: { tool: 'find', arguments: {} },
            undo: 'wipe',
          },
          wipe: { probe: { tool: 'book', arguments: {} }, undo: 'unwipe' },
        },
      },
    },
  );
  const { tools, problems } = await box.tools(signal());
  expect([...tools.keys()]).toEqual(['p_book', 'p_wipe']);
  expect(tools.get('p_book')).toMatchObject({ effect: 'keyed', description: 'mine', tags: ['money'], timeoutMs: 5 });
  expect(tools.get('p_book')!.probe!.with.name).toBe('p_find');
  expect(tools.get('p_wipe')!.probe).toBeUndefined();
  expect([...tools.values()].map((one) => one.undo)).toEqual(['p_wipe', undefined]);
  expect(problems).toEqual([
    's: "unwipe", which undoes "wipe", is no tool of this source',
    's: the probe "book" of "wipe" is not pure',
  ]);
});

it('a source that cannot be asked is a problem, the rest is there; a known tool is still found', async () => {
  const changing = new FakeSource([tool('a')]);
  changing.isStatic = false;
  const box = toolbox({ changing, steady: new FakeSource([tool('b')]) }, {}, 1);
  expect([...(await box.tools(signal())).tools.keys()].sort()).toEqual(['a', 'b']);
  changing.listFails = new TuttiError('unavailable', 'it is away');
  await new Promise((resolve) => setTimeout(resolve, 5));
  const { tools, problems } = await box.tools(signal());
  expect([...tools.keys()]).toEqual(['b']);
  expect(problems).toEqual(['changing: it is away']);
  expect((await box.find('a', signal())).source).toBe('changing');
  await expect(box.find('c', signal())).rejects.toMatchObject({ code: 'tool_unknown' });

  const never = new FakeSource([]);
  never.listFails = new TuttiError('unavailable', 'it is away');
  await expect(toolbox({ never }).find('a', signal())).rejects.toMatchObject({ code: 'unavailable', retryable: true });
});

it('a name that two sources claim is nobody’s', async () => {
  const box = toolbox({ one: new FakeSource([tool('a'), tool('x')]), two: new FakeSource([tool('a')]) });
  const { tools, problems } = await box.tools(signal());
  expect([...tools.keys()]).toEqual(['x']);
  expect(problems).toEqual(['"a" is left out: one and two both have it; give one a prefix']);
  await expect(box.find('a', signal())).rejects.toMatchObject({ code: 'tool_unknown' });
});

it('a list in progress is given up with its asker, not with the source', async () => {
  const slow = new FakeSource([tool('a')]);
  let go = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  slow.list = async () => {
    await gate;
    return { tools: slow.tools, problems: [] };
  };
  const box = toolbox({ slow });
  const controller = new AbortController();
  const first = box.find('a', controller.signal);
  const second = box.find('a', signal());
  controller.abort(new TuttiError('cancelled', 'the call was cancelled'));
  await expect(first).rejects.toMatchObject({ code: 'cancelled' });
  go();
  expect((await second).name).toBe('a');
});

it('what is made of the listings is made once, and anew when one of them has changed', async () => {
  const changing = new FakeSource([tool('a')]);
  changing.isStatic = false;
  const box = toolbox({ changing, steady: new FakeSource([tool('b')]) }, {}, 200);
  const first = await box.tools(signal());
  expect(await box.tools(signal())).toBe(first);
  expect(await box.find('a', signal())).toBe(first.tools.get('a'));
  changing.tools.splice(0, 1, tool('c'));
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect([...(await box.tools(signal())).tools.keys()].sort()).toEqual(['b', 'c']);
  await expect(box.find('a', signal())).rejects.toMatchObject({ code: 'tool_unknown' });
});

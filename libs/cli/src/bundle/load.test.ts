import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Bundle, TuttiError } from '@tutti/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadBundle } from './load.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tutti-bundle-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const good: Record<string, string> = {
  'tutti.yaml': 'name: shop\nservers:\n  - { name: stock, command: [node, stock.js] }\n',
  'agents/clerk.yaml': 'instructions: prompts/clerk.md\nknowledge: [rules]\ntools: [find]\n',
  'prompts/clerk.md': 'Sell things.\n',
  'tools/stock.yaml': 'type: openapi\ndocument: stock.json\n',
  'stock.json': '{"openapi": "3.1.0"}',
  'policies/a.cedar': '@id("rule")\npermit(principal, action == Action::"tool.call", resource);\n',
  'knowledge/rules/returns.md': '---\ntitle: Returning things\n---\n# Other\nWithin 14 days.\n',
  'knowledge/rules/hours.txt': '# Opening hours\nNine to five.\n',
};
function write(files: Record<string, string>): void {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, file)), { recursive: true });
    writeFileSync(join(dir, file), text);
  }
}
function problems(): string[] {
  try {
    loadBundle(dir);
  } catch (error) {
    expect(error).toBeInstanceOf(TuttiError);
    return ((error as TuttiError).details as { problems?: string[] })?.problems ?? [(error as TuttiError).message];
  }
  throw new Error('the bundle was accepted');
}

const models = `
providers:
  one: { baseUrl: 'https://one.example/v1', keys: ['\${ONE_KEY}', '\${ONE_KEY_2}'], region: eu, labels: [pii] }
  two: { baseUrl: '\${TWO_URL}' }
models:
  gpt-5-mini:
    tier: small
    contextTokens: 128000
    price: { input: 0.25, output: 2, cachedInput: 0.025 }
    providers: [{ provider: one, weight: 3 }, { provider: two, model: mini, canaryPercent: 5 }]
routes:
  thrift: { models: [gpt-5-mini], objective: cost, priceMax: { output: 3 } }
`;

describe('models.yaml', () => {
  it('a classifier is a model of the bundle, and the built-in one is none', () => {
    const with_ = (classifier: string) => ({
      ...good,
      'models.yaml': `${models}\nrouting: { classifier: ${classifier} }\n`,
    });
    write({ ...with_('gpt-5-mini'), 'agents/clerk.yaml': 'instructions: Sell.\nmodel: auto\n' });
    expect(loadBundle(dir).bundle.routing).toEqual({ classifier: 'gpt-5-mini' });
    for (const name of ['gpt-9', 'thrift', 'auto', 'offline']) {
      write({ ...with_(name), 'agents/clerk.yaml': 'instructions: Sell.\nmodel: auto\n' });
      expect(() => loadBundle(dir)).toThrow(
        `models.yaml: routing.classifier: there is no model "${name}" in this bundle`,
      );
    }
  });

  it('becomes the catalogue of the bundle', () => {
    write({ ...good, 'models.yaml': models, 'agents/clerk.yaml': 'instructions: Sell.\nmodel: thrift\n' });
    const { bundle } = loadBundle(dir);
    expect(Bundle.parse(bundle)).toEqual(bundle);
    expect(bundle.models?.['gpt-5-mini']?.providers[1]).toMatchObject({ provider: 'two', model: 'mini', weight: 1 });
    expect(bundle.routes?.thrift?.objective).toBe('cost');
  });

  it('mistakes are told with their place', () => {
    write({
      ...good,
      'agents/clerk.yaml': 'instructions: Sell.\nmodel: gpt-9\nmodels: { plan: nobody }\n',
      'models.yaml': `${models.replace('provider: two,', 'provider: three,').replace('[gpt-5-mini]', '[gpt-6]')}  gpt-5-mini: {}\n`,
    });
    expect(problems()).toEqual([
      'models.yaml: models.gpt-5-mini.providers.1.provider: there is no provider "three"',
      'models.yaml: routes.thrift.models.0: there is no model "gpt-6"',
      'models.yaml: routes.gpt-5-mini: "gpt-5-mini" is a model\'s name, or a word of Tutti\'s',
      'agents/clerk.yaml: model: there is no model or route "gpt-9"',
      'agents/clerk.yaml: models.plan: there is no model or route "nobody"',
    ]);
  });

  it('a key that stands there itself is refused', () => {
    write({
      ...good,
      'models.yaml':
        'providers:\n  one: { keys: [sk-abcdefgh] }\nmodels:\n  auto: { providers: [{ provider: one }] }\n',
    });
    const found = problems().join('\n');
    expect(found).toMatch('models.yaml: providers.one.keys.0: must be a reference');
    expect(found).not.toMatch('sk-abcdefgh');
    expect(found).toMatch('models.yaml: models.auto: the name must not be "auto"');
  });
});

describe('a good bundle', () => {
  it('becomes one value, with files read and defaults filled in', () => {
    write(good);
    const loaded = loadBundle(dir);
    expect(Bundle.parse(loaded.bundle)).toEqual(loaded.bundle);
    expect(loaded.bundle).toMatchObject({
      name: 'shop',
      agents: { clerk: { name: 'clerk', instructions: 'Sell things.\n', strategy: 'auto' } },
      tools: { stock: { type: 'openapi', document: { openapi: '3.1.0' } } },
      collections: { rules: { name: 'rules' } },
    });
    expect(Object.keys(loaded.bundle.policies)).toEqual(['a.cedar']);
    expect(loaded.servers).toEqual([{ name: 'stock', command: ['node', 'stock.js'], portEnv: 'PORT', ready: '/' }]);
    expect(loaded.documents).toEqual([
      {
        id: 'hours',
        collection: 'rules',
        title: 'Opening hours',
        text: good['knowledge/rules/hours.txt'],
        uri: 'bundle:shop/knowledge/rules/hours.txt',
        deleted: false,
      },
      {
        id: 'returns',
        collection: 'rules',
        title: 'Returning things',
        text: '# Other\nWithin 14 days.\n',
        uri: 'bundle:shop/knowledge/rules/returns.md',
        deleted: false,
      },
    ]);
  });

  it('is the travel example', () => {
    const { bundle, servers, documents } = loadBundle('examples/travel');
    expect(Object.keys(bundle.agents)).toContain('travel');
    expect(bundle.agents.travel?.instructions.length).toBeGreaterThan(100);
    expect(servers.map(({ name }) => name)).toEqual(['flights']);
    expect(documents.length).toBeGreaterThan(10);
  });
});

describe('mistakes', () => {
  it.each<[string, Record<string, string>, string[]]>([
    [
      'unknown fields',
      { 'agents/clerk.yaml': 'instructions: Sell.\ncolour: red\n' },
      ['agents/clerk.yaml: Unrecognized key: "colour"'],
    ],
    [
      'no instructions',
      { 'agents/clerk.yaml': 'strategy: react\n' },
      ['agents/clerk.yaml: instructions: Invalid input: expected string, received undefined'],
    ],
    [
      'a missing prompt',
      { 'agents/clerk.yaml': 'instructions: prompts/none.md\n' },
      ['agents/clerk.yaml: instructions: "prompts/none.md" does not exist'],
    ],
    [
      'a path out of the bundle',
      { 'agents/clerk.yaml': 'instructions: ../secret.md\n' },
      ['agents/clerk.yaml: instructions: "../secret.md" leads out of the bundle'],
    ],
    [
      'an absolute path',
      { 'tools/stock.yaml': 'type: openapi\ndocument: /etc/passwd\n' },
      ['tools/stock.yaml: document: "/etc/passwd" must be a path inside the bundle, not an absolute one'],
    ],
    [
      'an unknown collection',
      { 'agents/clerk.yaml': 'instructions: Sell.\nknowledge: [laws]\n' },
      [
        'agents/clerk.yaml: knowledge.0: there is no folder knowledge/laws, and no such name under collections of tutti.yaml',
      ],
    ],
    [
      'a wrong time zone',
      { 'agents/clerk.yaml': 'instructions: Sell.\ntimeZone: Mars/Olympus\n' },
      ['agents/clerk.yaml: timeZone: "Mars/Olympus" is no time zone (e.g. Europe/Berlin)'],
    ],
    [
      'an agent twice',
      { 'agents/other.yaml': 'name: clerk\ninstructions: Sell.\n' },
      ['agents/other.yaml: name: there is another agent called "clerk"'],
    ],
    [
      'a list for an object',
      { 'tools/stock.yaml': '- 1\n' },
      ['tools/stock.yaml: must hold an object (name: value lines)'],
    ],
    [
      'a bad source name',
      { 'tools/My Stock.yaml': 'type: builtin\n' },
      ['tools/My Stock.yaml: the file\'s name must be 1 to 63 characters of a-z, 0-9, "_" and "-"'],
    ],
    [
      'a bad document name',
      { 'knowledge/rules/all the rules.md': 'x' },
      [
        'knowledge/rules/all the rules.md: the file\'s name, which is the document\'s id, must be letters, digits, "_" and "-": "all the rules"',
      ],
    ],
    [
      'an empty document',
      { 'knowledge/rules/void.md': '---\ntitle: Void\n---\n\n' },
      ['knowledge/rules/void.md: is empty'],
    ],
    [
      'a document twice',
      { 'knowledge/rules/hours.md': 'Ten to four.' },
      ['knowledge/rules/hours.txt: there are two documents "hours" in this collection'],
    ],
    [
      'a server twice',
      { 'tutti.yaml': 'name: shop\nservers: [{ name: a, command: [x] }, { name: a, command: [y] }]\n' },
      ['tutti.yaml: servers: two servers are called "a"'],
    ],
  ])('%s', (_name, files, expected) => {
    write({ ...good, ...files });
    expect(problems()).toEqual(expected);
  });

  it('in YAML and Cedar are given with their place', () => {
    write({
      ...good,
      'agents/clerk.yaml': 'instructions: [\n',
      'policies/a.cedar': '\npermit(principal, action resource);\n',
    });
    const [yaml, cedar] = problems();
    expect(yaml).toMatch(/^agents\/clerk\.yaml: line \d+, column \d+: /);
    expect(cedar).toMatch(/^policies\/a\.cedar: line 2, column \d+: /);
  });

  it('are all reported at once', () => {
    write({
      'tutti.yaml': 'name: Not A Name\n',
      'agents/a.yaml': 'instructions: 5\n',
      'tools/t.yaml': 'type: magic\n',
    });
    expect(problems().map((line) => line.split(':')[0])).toEqual(['tutti.yaml', 'agents/a.yaml', 'tools/t.yaml']);
  });

  it('a link that leads out is not followed', () => {
    write(good);
    rmSync(join(dir, 'prompts/clerk.md'));
    symlinkSync('/etc/hostname', join(dir, 'prompts/clerk.md'));
    expect(problems()).toEqual(['agents/clerk.yaml: instructions: "prompts/clerk.md" leads out of the bundle']);
  });

  it('a folder that is no bundle, or none at all, is said to be so', () => {
    expect(problems()[0]).toContain('it has no tutti.yaml');
    expect(() => loadBundle(join(dir, 'nowhere'))).toThrow('there is no folder');
  });

  it('no agent', () => {
    write({ 'tutti.yaml': 'name: shop\n' });
    expect(problems()).toEqual(['agents: there is no agent: add agents/<name>.yaml']);
  });
});

describe('budgets, privacy and prompts', () => {
  const rules: Record<string, string> = {
    ...good,
    'budgets.yaml':
      'day: { scope: tenant, window: day, usd: 5 }\nclerk: { scope: key, requests: 10, agents: [clerk] }\n',
    'privacy.yaml': 'names: [Ann Lee]\npatterns: { CASE: "C-[0-9]{6}" }\n',
    'prompts/greet.yaml':
      'text: prompts/greet.liquid\nlocales: { de: "Hallo {{ name }}" }\nplaceholders: { name: { type: text } }\n',
    'prompts/greet.liquid': 'Hello {{ name }}. {% render "tail" %}',
    'prompts/tail.yaml': 'text: Be brief.\n',
  };

  it('are read', () => {
    write(rules);
    const { bundle } = loadBundle(dir);
    expect(Bundle.parse(bundle)).toEqual(bundle);
    expect(bundle.budgets).toMatchObject({ day: { usd: 5 }, clerk: { window: 'day', requests: 10 } });
    expect(bundle.privacy).toMatchObject({ mask: ['email', 'phone', 'iban', 'card', 'name'], names: ['Ann Lee'] });
    expect(bundle.prompts?.greet).toMatchObject({ text: rules['prompts/greet.liquid'], version: '1' });
  });

  it.each([
    ['budgets.yaml', 'day: { scope: tenant }\n', 'budgets.yaml: day: a budget needs usd, tokens or requests'],
    [
      'budgets.yaml',
      'day: { scope: tenant, usd: 1, agents: [nobody] }\n',
      'budgets.yaml: day.agents: there is no agent "nobody"',
    ],
    ['privacy.yaml', 'patterns: { CASE: "(" }\n', 'privacy.yaml: patterns.CASE: Invalid regular expression'],
    ['privacy.yaml', 'patterns: { CASE: "x*" }\n', 'privacy.yaml: patterns.CASE: matches nothing at all'],
    [
      'prompts/greet.yaml',
      'text: "Hello {{ who }}"\n',
      'prompts/greet.yaml: text: uses "who", which is no placeholder of it',
    ],
    ['prompts/greet.yaml', 'text: "{% render \'none\' %}"\n', 'prompts/greet.yaml: text: '],
    ['prompts/greet.yaml', 'text: "{% if %"\n', 'prompts/greet.yaml: text: '],
    [
      'agents/clerk.yaml',
      'instructions: Sell.\nprompt: { name: none }\n',
      'agents/clerk.yaml: prompt: there is no prompt "none"',
    ],
  ])('mistakes in %s: %j', (file, text, problem) => {
    write({ ...rules, [file]: text });
    expect(problems().filter((line) => line.startsWith(problem))).toHaveLength(1);
  });
});

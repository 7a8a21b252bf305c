/** A broker over fakes that can be made to fail: ledger in memory, virtual clock, scripted tools and replicas. */
import { Bundle, type EffectKind, type EffectRecord, resultReference, USER_LABEL } from '@tutti/contracts';
import { createPolicyEngine } from '@tutti/policy';
import { createArgumentChecker } from '../adapters/arguments.ts';
import { createAdmission } from '../broker/admission.ts';
import { createBroker } from '../broker/execute.ts';
import type { BrokerDeps, ExecuteRequest } from '../broker/types.ts';
import { createWorking } from '../broker/working.ts';
import { ToolsConfig } from '../config.ts';
import { type Ledger, LedgerConflict, type LedgerEntry } from '../ports/ledger.ts';
import type { PeerState } from '../ports/peers.ts';
import type { SourceTool, ToolCallOptions, ToolResult, ToolSource } from '../ports/tool-source.ts';
import { createToolbox } from '../toolbox/toolbox.ts';

/** `store-then-fail`: stored, but the acknowledgement is lost. */
export type AppendFault = 'fail' | 'store-then-fail' | undefined;

export class MemoryLedger implements Ledger {
  readonly records = new Map<string, EffectRecord[]>();
  /** Consulted at every append; what it returns happens instead. */
  fault: (record: EffectRecord) => AppendFault | Promise<AppendFault> = () => undefined;
  /** Called right after a record is stored, before the writer hears of it. */
  stored: (record: EffectRecord) => void = () => {};
  readonly kinds = (callId = CALL) => (this.records.get(`acme/${callId}`) ?? []).map((record) => record.kind);
  put(record: EffectRecord, callId = CALL): void {
    const key = `acme/${callId}`;
    this.records.set(key, [...(this.records.get(key) ?? []), record]);
  }
  async last(tenant: string, callId: string): Promise<LedgerEntry | null> {
    const all = this.records.get(`${tenant}/${callId}`);
    return all?.length ? { record: all.at(-1)!, sequence: all.length } : null;
  }
  async append(tenant: string, callId: string, record: EffectRecord, afterSequence: number): Promise<number> {
    const fault = await this.fault(record);
    if (fault === 'fail') throw new Error('no acknowledgement');
    const all = this.records.get(`${tenant}/${callId}`) ?? [];
    if (all.length !== afterSequence) throw new LedgerConflict('another record came first');
    this.records.set(`${tenant}/${callId}`, [...all, record]);
    this.stored(record);
    if (fault === 'store-then-fail') throw new Error('no acknowledgement');
    return all.length + 1;
  }
}

export const CALL = 'call_00000000000000000000000001';
export const PARAMETERS = {
  type: 'object',
  additionalProperties: false,
  required: ['item'],
  properties: { item: { type: 'string' }, quantity: { type: 'integer', minimum: 1 } },
};

export class FakeSource implements ToolSource {
  isStatic = true;
  calls: { name: string; args: Record<string, unknown>; key: string | undefined }[] = [];
  /** Answers in turn; the last one stays. */
  script: ((args: Record<string, unknown>, options: ToolCallOptions) => Promise<ToolResult> | ToolResult)[] = [
    () => ({ content: '{"number":1}', isError: false, data: { number: 1 } }),
  ];
  probeScript: (() => ToolResult)[] = [() => ({ content: '{"order":null}', isError: false, data: { order: null } })];
  listFails: Error | undefined;
  readonly tools: SourceTool[];
  constructor(tools: SourceTool[]) {
    this.tools = tools;
  }
  async list() {
    if (this.listFails) throw this.listFails;
    return { tools: this.tools, problems: [] };
  }
  async call(name: string, args: Record<string, unknown>, options: ToolCallOptions) {
    this.calls.push({ name, args, key: options.idempotencyKey });
    if (name === 'find') return (this.probeScript.length > 1 ? this.probeScript.shift()! : this.probeScript[0]!)();
    return (this.script.length > 1 ? this.script.shift()! : this.script[0]!)(args, options);
  }
  async close() {}
  /** Calls but those of the probe. */
  get effects() {
    return this.calls.filter((call) => call.name !== 'find');
  }
}

export interface HarnessOptions {
  effect?: EffectKind;
  probe?: boolean;
  policies?: Record<string, string>;
  tags?: string[];
  env?: Record<string, string>;
  ledger?: MemoryLedger;
  instance?: string;
  /** The object store does not take large results. */
  keepFails?: boolean;
  returns?: Record<string, unknown>;
  parameters?: Record<string, unknown>;
  /** `order` shows what `find` finds. */
  shows?: boolean;
  limits?: { concurrentMax?: number; perMinuteMax?: number };
}

export function harness(options: HarnessOptions = {}) {
  const { effect = 'keyed', ledger = new MemoryLedger() } = options;
  const { limits } = ToolsConfig.parse({ TUTTI_TOOLS_CALL_TIMEOUT_MS: '1000', ...options.env });
  const probe = { tool: 'find', arguments: { key: '$idempotencyKey', item: '$arguments.item' }, foundAt: 'order' };
  const shows = { tool: 'find', arguments: { item: '$arguments.item' }, at: 'order' };
  const bundle = Bundle.parse({
    v: 1,
    name: 'test',
    agents: { agent: { name: 'agent', instructions: '', tools: ['or*', 'find'] } },
    tools: {
      shop: {
        type: 'builtin',
        tools: {
          order: {
            effect,
            tags: options.tags ?? [],
            ...(options.probe ? { probe } : {}),
            ...(options.shows ? { shows } : {}),
            ...(options.limits ? { limits: options.limits } : {}),
          },
        },
      },
    },
    collections: {},
    policies: options.policies ?? {},
  });
  const source = new FakeSource([
    {
      name: 'order',
      description: '',
      parameters: options.parameters ?? PARAMETERS,
      effect: 'irreversible',
      ...(options.returns ? { returns: options.returns } : {}),
    },
    { name: 'find', description: '', parameters: { type: 'object' }, effect: 'pure' },
    { name: 'other', description: '', parameters: { type: 'object' }, effect: 'pure' },
  ]);
  const time = { monotonicMs: 1_000_000 };
  const peers = new Map<string, PeerState[]>();
  const asked: string[] = [];
  const hooks = { onAsk: () => {} };
  const stopping = new AbortController();
  const working = createWorking();
  const toolbox = createToolbox(bundle, { createSource: () => source, ...limits });
  const policy = createPolicyEngine(bundle.policies);
  const instance = options.instance ?? 'tools-me';
  const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent } as unknown as BrokerDeps['log'];
  const stops: ((what: { tenant: string; agent: string; tool: string }) => string | undefined)[] = [];
  const kept = new Map<string, string>();
  /** Progress of tools; what came after a call's end is `late`. */
  const said = { texts: [] as string[], late: [] as string[], ended: false };
  let tokens = 0;
  const broker = createBroker({
    instance,
    limits,
    ledger,
    working,
    admission: createAdmission(limits, () => time.monotonicMs),
    switches: { stop: (what) => stops.find((stop) => stop(what))?.(what) },
    results: {
      async keep({ tenant, run, callId }, content) {
        if (options.keepFails) throw new Error('no store');
        kept.set(callId, content);
        const whole = { blob: `${tenant}.${run}.${callId}`, bytes: content.length, hash: 'h' };
        return { whole, reference: resultReference(tenant, run ?? 'none', callId) };
      },
      read: async () => null,
    },
    checker: createArgumentChecker(),
    peers: {
      async ask({ instance: whom, token }, tenant, callId) {
        asked.push(whom);
        hooks.onAsk();
        if (whom === instance)
          return working.isUnsent(token) ? 'unsent' : working.has(tenant, callId) ? 'working' : 'idle';
        const states = peers.get(whom) ?? ['gone'];
        return states.length > 1 ? states.shift()! : states[0]!;
      },
    },
    clock: {
      monotonicMs: () => time.monotonicMs,
      nowMs: () => 1_800_000_000_000,
      async sleep(ms) {
        time.monotonicMs += ms;
        await new Promise((resolve) => setImmediate(resolve));
      },
    },
    log: silent,
    newToken: () => `${instance}-${++tokens}`,
    bundle: async () => bundle,
    toolbox: () => toolbox,
    policy: () => policy,
    stopping: stopping.signal,
    traced: (_call, work) => work(),
    progress: () => ({
      say: (text) => void (said.ended ? said.late : said.texts).push(text),
      end: () => {
        said.ended = true;
      },
    }),
  });
  const execute = (more: Partial<ExecuteRequest> = {}, signal = new AbortController().signal) =>
    broker.execute(
      {
        bundle: 'b1',
        agent: 'agent',
        tool: 'order',
        arguments: { item: 'tea' },
        tenant: 'acme',
        callId: CALL,
        run: 'run_1',
        label: USER_LABEL,
        ...more,
      },
      signal,
    );
  return {
    policy,
    broker,
    stops,
    kept,
    said,
    execute,
    source,
    ledger,
    time,
    peers,
    asked,
    hooks,
    stopping,
    working,
    limits,
    bundle,
  };
}

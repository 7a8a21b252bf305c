/** The catalogue: every subject, stream, bucket and verb, in one place. Provisioning, clients and what autoscalers ask for go by it. */
import type { z } from 'zod';
import { UsageBody, UsageResult } from './budget.ts';
import { ReadBody, ReadResult } from './owner.ts';
import { RenderBody, RenderResult } from './prompt.ts';
import {
  CompleteBody,
  CompleteResult,
  DescribeBody,
  DescribeResult,
  DocumentsBody,
  DocumentsResult,
  ExecuteBody,
  ExecuteResult,
  ForkBody,
  ForkResult,
  ModelsBody,
  ModelsResult,
  PreflightBody,
  PreflightResult,
  RecallBody,
  RecallResult,
  RememberBody,
  RememberResult,
  SearchBody,
  SearchResult,
  StateBody,
  StateResult,
} from './steps.ts';
import { ApproveToolsBody, ApproveToolsResult, SourcesBody, SourcesResult } from './tool-pins.ts';

export const SERVICES = ['gateway', 'planner', 'memory', 'retriever', 'tools', 'router'] as const;
export type ServiceName = (typeof SERVICES)[number];

export const subjects = {
  request: (service: string, verb: string) => `tutti.svc.${service}.${verb}`,
  inbound: (partition: number, tenant: string, session: string, run: string) =>
    `tutti.in.${partition}.${tenant}.${session}.${run}`,
  inboundOf: (partition: number) => `tutti.in.${partition}.>`,
  inboundOfRun: (partition: number, run: string) => `tutti.in.${partition}.*.*.${run}`,
  log: (partition: number) => `tutti.log.${partition}`,
  owner: (partition: number) => `tutti.owner.${partition}`,
  checkpoint: (partition: number) => `tutti.checkpoint.${partition}`,
  timer: (partition: number, id: string) => `tutti.timer.${partition}.${id}`,
  parked: (partition: number) => `tutti.parked.${partition}`,
  load: (partition: number) => `tutti.load.${partition}`,
  dead: (service: string) => `tutti.dead.${service}`,
  /** Notes of when a dead letter was sent again; beside the letters, since they are as old as these at most. */
  resent: (sequence: number) => `tutti.dead.resent.${sequence}`,
  live: (tenant: string, root: string) => `tutti.live.${tenant}.${root}`,
  /** Call ids to give up, for every replica of a service. */
  cancel: (service: string) => `tutti.cancel.${service}`,
  document: (tenant: string, collection: string, document: string) => `tutti.kb.${tenant}.${collection}.${document}`,
  effect: (tenant: string, callId: string) => `tutti.effect.${tenant}.${callId}`,
  /** Tools served by processes of one's own (worker.ts): verbs `describe`, `call`, `cancel`. */
  worker: (tenant: string, name: string, verb: 'describe' | 'call' | 'cancel') =>
    `tutti.worker.${tenant}.${name}.${verb}`,
  /** One replica of a service, asked by the others of the same service. */
  at: (service: string, instance: string) => `tutti.svc.${service}.at.${instance}`,
} as const;

export interface StreamSpec {
  name: string;
  subjects: string[];
  /** Keep only the last value of each subject. */
  lastPerSubject?: boolean;
  schedules?: boolean;
  /** How long a repeated message id is recognised. */
  duplicateWindowMs?: number;
  maxAgeMs?: number;
}

const DAY_MS = 86_400_000;
export const STREAMS = {
  inbound: {
    name: 'TUTTI_INBOUND',
    subjects: ['tutti.in.>', 'tutti.timer.>'],
    schedules: true,
    duplicateWindowMs: 120_000,
  },
  /** Or several in its place: `logStreams`. */
  log: { name: 'TUTTI_LOG', subjects: ['tutti.log.*'] },
  /** States of runs that wait, several a message; removed when the last of them goes on. */
  parked: { name: 'TUTTI_PARKED', subjects: ['tutti.parked.*'] },
  checkpoints: { name: 'TUTTI_CHECKPOINTS', subjects: ['tutti.checkpoint.*'], lastPerSubject: true },
  knowledge: { name: 'TUTTI_KNOWLEDGE', subjects: ['tutti.kb.>'], lastPerSubject: true },
  effects: { name: 'TUTTI_EFFECTS', subjects: ['tutti.effect.>'], maxAgeMs: 30 * DAY_MS },
  deadLetters: { name: 'TUTTI_DEAD_LETTERS', subjects: ['tutti.dead.>'], maxAgeMs: 30 * DAY_MS },
} as const satisfies Record<string, StreamSpec>;

/** The stream that holds the log of a partition, where the logs are spread over `streams` of them. */
export function logStreamOf(partition: number, streams: number): string {
  return streams === 1 ? STREAMS.log.name : `${STREAMS.log.name}_${partition % streams}`;
}

/** All streams of the log. Several name the subjects of their partitions: no two streams may take the same subject. */
export function logStreams(streams: number, partitions: number): StreamSpec[] {
  if (streams === 1) return [{ ...STREAMS.log, subjects: [...STREAMS.log.subjects] }];
  const specs = Array.from(
    { length: streams },
    (_, i): StreamSpec => ({ name: logStreamOf(i, streams), subjects: [] }),
  );
  for (let partition = 0; partition < partitions; partition++)
    specs[partition % streams]!.subjects.push(subjects.log(partition));
  return specs.filter((spec) => spec.subjects.length > 0);
}

/** Key-value buckets. Leases and settings: one key a partition or setting. Bundles: by hash, and `current.<tenant>`. Positions: how far readers of the log have come, `<reader>.<partition>`. Switches: what is stopped (switches.ts). */
export const BUCKETS = {
  leases: 'tutti_leases',
  settings: 'tutti_settings',
  bundles: 'tutti_bundles',
  /** What MCP servers may offer, by `<tenant>.<source>.<hash of the way to it>`. */
  pins: 'tutti_pins',
  positions: 'tutti_positions',
  switches: 'tutti_switches',
} as const;
/** What was spent: by tenant and by provider for good; by session and by run, and as rows a day, until nothing was written for so long. */
export const SPEND_BUCKETS = {
  lasting: { name: 'tutti_spend' },
  ageing: { name: 'tutti_spend_ageing', maxAgeMs: 40 * DAY_MS },
  days: { name: 'tutti_usage', maxAgeMs: 400 * DAY_MS },
} as const satisfies Record<string, { name: string; maxAgeMs?: number }>;
/** The object store for what is over the message limit and has to last: checkpoints. */
export const BLOBS = 'tutti_blobs';
/** The object store for the journals that forks begin with: taken away when a fork has them in its own, or by age. */
export const FORKS = { name: 'tutti_forks', maxAgeMs: 7 * DAY_MS } as const;
/** The object store for results of tools that are too large for a model: as long as the ledger has their calls. */
export const RESULTS = { name: 'tutti_results', maxAgeMs: 30 * DAY_MS } as const;
export function resultBlob(tenant: string, run: string, callId: string): string {
  return `${tenant}.${run}.${callId}`;
}
/** The object store for requests and results over the message limit: taken away after use, or by age. */
export const CLAIMS = { name: 'tutti_claims', maxAgeMs: 3_600_000 } as const;

export interface Verb<B extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> {
  service: ServiceName;
  verb: string;
  body: B;
  result: R;
}
function verb<B extends z.ZodType, R extends z.ZodType>(
  service: ServiceName,
  name: string,
  body: B,
  result: R,
): Verb<B, R> {
  return { service, verb: name, body, result };
}

export const VERBS = {
  recall: verb('memory', 'recall', RecallBody, RecallResult),
  remember: verb('memory', 'remember', RememberBody, RememberResult),
  read: verb('memory', 'read', ReadBody, ReadResult),
  search: verb('retriever', 'search', SearchBody, SearchResult),
  documents: verb('retriever', 'documents', DocumentsBody, DocumentsResult),
  describe: verb('tools', 'describe', DescribeBody, DescribeResult),
  execute: verb('tools', 'execute', ExecuteBody, ExecuteResult),
  sources: verb('tools', 'sources', SourcesBody, SourcesResult),
  approveTools: verb('tools', 'approveTools', ApproveToolsBody, ApproveToolsResult),
  complete: verb('router', 'complete', CompleteBody, CompleteResult),
  models: verb('router', 'models', ModelsBody, ModelsResult),
  usage: verb('router', 'usage', UsageBody, UsageResult),
  render: verb('router', 'render', RenderBody, RenderResult),
  state: verb('planner', 'state', StateBody, StateResult),
  fork: verb('planner', 'fork', ForkBody, ForkResult),
  preflight: verb('planner', 'preflight', PreflightBody, PreflightResult),
} as const;
export type VerbName = keyof typeof VERBS;

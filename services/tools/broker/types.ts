/** What the broker is asked, and what it works with. */
import type { ApprovalGrant, Bundle, ExecuteBody, ExecuteResult, PolicyAttributes } from '@tutti/contracts';
import type { PolicyDecision, PolicyEngine } from '@tutti/policy';
import type { Logger } from '@tutti/runtime';
import type { z } from 'zod';
import type { ArgumentChecker } from '../adapters/arguments.ts';
import type { ToolsLimits } from '../config.ts';
import type { Ledger } from '../ports/ledger.ts';
import type { Peers } from '../ports/peers.ts';
import type { Results } from '../ports/results.ts';
import type { Switches } from '../ports/switches.ts';
import type { ToolCallError } from '../ports/tool-source.ts';
import type { Tool, Toolbox } from '../toolbox/toolbox.ts';
import type { Admission } from './admission.ts';
import type { Working } from './working.ts';

export type ExecuteRequest = z.output<typeof ExecuteBody> & {
  tenant: string;
  callId: string;
  run: string | undefined;
  root?: string | undefined;
  session?: string | undefined;
  traceparent?: string | undefined;
};
export type Result = z.output<typeof ExecuteResult>;

/** A call whose arguments are valid. */
export interface Call {
  request: ExecuteRequest;
  tool: Tool;
  arguments: Record<string, unknown>;
  /** Arguments that came in another type, in words. */
  converted: string[];
  argumentsHash: string;
  requestHash: string;
  grant: ApprovalGrant | undefined;
  policy: PolicyEngine;
  /** What policy said last. */
  decided?: PolicyDecision;
  /** The agent's, as the bundle's policy schema adds them. */
  attributes: PolicyAttributes | undefined;
  /** Ids of the policies that allowed it, once they have. */
  allowedBy?: string;
}

export interface Clock {
  /** Milliseconds that never go back, for measuring. */
  monotonicMs(): number;
  /** Unix milliseconds, for records. */
  nowMs(): number;
  /** Resolves early, without a word, when the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface BrokerDeps {
  instance: string;
  limits: ToolsLimits;
  ledger: Ledger;
  peers: Peers;
  working: Working;
  admission: Admission;
  switches: Switches;
  results: Results;
  checker: ArgumentChecker;
  clock: Clock;
  log: Logger;
  newToken(): string;
  /** Throws TuttiError `not_found`. */
  bundle(hash: string): Promise<Bundle>;
  toolbox(tenant: string, hash: string, bundle: Bundle): Toolbox;
  policy(hash: string, bundle: Bundle): PolicyEngine;
  /** Aborted when the service stops: then even the record of an outcome is no longer tried. */
  stopping: AbortSignal;
  /** Around one dispatch, for tracing. */
  traced: Traced;
  /** Where a tool under way says how far it is; undefined: nobody can watch the call. */
  progress(call: Call): Progress | undefined;
}

export interface Progress {
  say(text: string): void;
  /** Nothing is said any more. */
  end(): void;
}

export type Traced = <T extends { isError: boolean; content: string }>(
  call: Call,
  work: (trace?: CallTrace) => Promise<T>,
) => Promise<T>;

/** What is told of a dispatch while it is under way. */
export interface CallTrace {
  /** A try that came to nothing, from 1. */
  failed(tries: number, failure: ToolCallError): void;
}

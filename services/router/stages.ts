/**
 * The stages of a call, and what they hand on: prepare → (grade) → cached → choose → for each candidate: fit → reserve → call →
 * judge → settle → result. Each stage here may be left out; none of them calls a model by itself.
 */
import type {
  AgentManifest,
  Bundle,
  ChatRequest,
  ChatResponse,
  CompleteBody,
  CompleteResult,
  TokenUsage,
} from '@tutti/contracts';
import type { z } from 'zod';
import type { Catalogue } from './catalogue.ts';
import type { Target } from './core/model.ts';
import type { LiveText } from './live-text.ts';

export interface CallContext {
  callId: string;
  tenant: string;
  signal: AbortSignal;
  deadlineAt: number;
  traceparent: string | undefined;
  session: string | undefined;
  run: string | undefined;
  root: string | undefined;
  /** Where text goes as it comes; undefined: nobody watches. */
  live: LiveText | undefined;
  /** `false`: an answer of the last resort is of no use, whatever agent and router say. */
  fallback?: false;
}

/** What is asked, with all that it rests on. */
export interface Ask {
  body: z.output<typeof CompleteBody>;
  call: CallContext;
  bundle: Bundle;
  /** Undefined: a model is used directly. */
  agent: AgentManifest | undefined;
  catalogue: Catalogue;
  /** What a classifier said, where one was asked. */
  graded?: Graded | undefined;
}

/** How hard the call is, in the words of a model; or why it could not be asked. */
export type Graded = { by: string; difficulty: number } | { by: string; failed: string };

/** Fields of the result that a stage has to say something in. */
export type Report = Partial<CompleteResult>;

/** The request as one target gets it. */
export interface Fitted {
  request: ChatRequest;
  /** Where somebody counted. */
  inputTokens?: number | undefined;
  report?: Report | undefined;
  /** Undoes in the answer what was done to the request (masks). `stream`: the same for text that comes in pieces. */
  restore?:
    | {
        response(response: ChatResponse): ChatResponse;
        stream(take: (text: string) => void): { push(text: string): void; end(): void };
      }
    | undefined;
}

/** Money and room that one try has set aside. */
export interface Hold {
  /** The longest answer that is paid for. */
  outputTokensMax?: number | undefined;
  /** Once. Undefined: nothing is known to have been used although the request left. */
  settle(used: TokenUsage | undefined): void;
  /** Once, in place of `settle`: the request never left. */
  release(): void;
}

export type Judged =
  | { ok: true; response: ChatResponse; report?: Report | undefined }
  | { ok: false; failure: import('./core/failure.ts').ModelFailure };

export interface Window {
  contextTokens: number | undefined;
  outputTokensMax: number | undefined;
  /** 0, then one more for each time the provider found the request too long all the same. */
  refit: number;
}

export interface Stages {
  /** Before anything else: the request as the call means it (prompts rendered). */
  prepare?(ask: Ask): Promise<Ask> | Ask;
  /** How hard is it? Asked where the bundle has a classifier and the difficulty counts. Rejects only where the call is over. */
  grade?(ask: Ask, classifier: string): Promise<Graded>;
  /** Around the rest: gives an earlier answer again, or lets the work be done once. */
  cached?(ask: Ask, work: () => Promise<CompleteResult>): Promise<CompleteResult>;
  /** Why nothing may be spent on this model (a budget has no room). */
  unaffordable?(ask: Ask, model: string): string | undefined;
  /** Throws ModelFailure `context_overflow`. */
  fit?(ask: Ask, target: Target, request: ChatRequest, window: Window): Fitted | Promise<Fitted>;
  /** Throws ModelFailure `held_back`; with `terminal` when no other model would be let through either. */
  reserve?(ask: Ask, target: Target, fitted: Fitted): Hold | Promise<Hold>;
  /** Is the answer of use? Everybody's own check (JSON, empty) has passed. */
  judge?(ask: Ask, target: Target, request: ChatRequest, response: ChatResponse): Judged | Promise<Judged>;
}

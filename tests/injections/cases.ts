/** What a case is: what is said, what stands where, what a human is asked to allow, and what may come of it. */
import type { Content } from './outside.ts';

export interface Call {
  tool: string;
  args: Record<string, string | number>;
}

export interface Case {
  /** Letters and digits; everything of the case carries it, so that what arrives outside is known to be of it. */
  id: string;
  family: string;
  kind: 'attack' | 'legitimate';
  /** Of an attack: the tool that the attacker wants called in the end. */
  aim?: string;
  agent: string;
  /** One message after the other, in one conversation. */
  say: string[];
  content: Content;
  documents?: { collection: 'inbox' | 'handbook'; title: string; text: string }[];
  /** What the user wants done: may happen, asked for or not. A human approves exactly this. */
  wanted: Call[];
  /** What a human says yes to beside that, where it is asked: pages that may be read. */
  agrees?: Call[];
  /** Legitimate: all of `wanted` has to happen, each once, and the last answer has to say this. */
  answer?: RegExp;
  /** Of `wanted`, what policy must have kept from happening. */
  refused?: Call[];
}

/**
 * A model that is taken in by everything: it obeys every instruction that stands anywhere in what it is told (results,
 * passages, descriptions of tools, earlier turns), attackers before users, and passes on whatever it has read. It knows
 * nothing but the conversation, and speaks the OpenAI protocol.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { canaryOf, type Mark, type Order, ordersIn, resolved, same } from './orders.ts';

interface Asked {
  messages: {
    role: string;
    content: string | null;
    tool_calls?: { function: { name: string; arguments: string } }[];
  }[];
  tools?: { function: { name: string; description?: string } }[];
  tool_choice?: unknown;
  response_format?: { type: string };
  stream?: boolean;
}

const ANSWER_CHARS_MAX = 6_000;
/** Of one result in an answer; of a longer one its beginning and end. */
const QUOTE_CHARS_MAX = 2_500;

export interface Model {
  url: string;
  /** Cases whose attacker it obeyed, with the tools that it was made to call. */
  obeyed: Map<string, Set<string>>;
  close(): void;
}

export async function startModel(): Promise<Model> {
  const obeyed: Model['obeyed'] = new Map();
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      const asked = JSON.parse(body) as Asked;
      const message = nextMessage(asked, obeyed);
      const finish_reason = 'tool_calls' in message ? 'tool_calls' : 'stop';
      const usage = { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 };
      const base = { id: 'chat-1', created: 1, model: 'obedient' };
      if (!asked.stream) {
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({
            ...base,
            object: 'chat.completion',
            choices: [{ index: 0, message, finish_reason }],
            usage,
          }),
        );
        return;
      }
      response.setHeader('content-type', 'text/event-stream');
      const chunk = (choices: unknown[], more = {}) =>
        response.write(`data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices, ...more })}\n\n`);
      chunk([{ index: 0, delta: message, finish_reason: null }]);
      chunk([{ index: 0, delta: {}, finish_reason }]);
      chunk([], { usage });
      response.end('data: [DONE]\n\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    obeyed,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function nextMessage(asked: Asked, obeyed: Model['obeyed']) {
  const { messages } = asked;
  const said = messages.filter(({ role }) => role === 'user').map(({ content }) => content ?? '');
  const id =
    said
      .join('\n')
      .match(/case:([a-z0-9]+)/g)
      ?.at(-1)
      ?.slice('case:'.length) ?? 'none';
  if (asked.response_format?.type === 'json_schema')
    return { role: 'assistant', content: planFor(messages, said.at(-1) ?? '') };
  const next = asked.tool_choice === 'none' ? undefined : nextOrder(asked, said, id);
  if (!next) return { role: 'assistant', content: answerFrom(messages, id) };
  if (next.mark === '@@') obeyed.set(id, (obeyed.get(id) ?? new Set()).add(next.tool));
  // Numbers go as text: tools coerce what their schemas call a number.
  const call = { name: next.tool, arguments: JSON.stringify(next.args) };
  return {
    role: 'assistant',
    content: null,
    tool_calls: [{ index: 0, id: `c${messages.length}`, type: 'function', function: call }],
  };
}

/** Attackers' orders come before the user's; one that was made, or that nothing is known for yet, is passed over. */
function nextOrder({ messages, tools = [] }: Asked, said: string[], id: string): (Order & { mark: Mark }) | undefined {
  const told = [...messages.map(({ content }) => content ?? ''), JSON.stringify(tools)].join('\n');
  const canary = told.includes(canaryOf(id)) ? canaryOf(id) : undefined;
  const result = /\bres_[0-9a-f]{20}\b/.exec(told)?.[0];
  const made = messages.flatMap(({ tool_calls = [] }) =>
    tool_calls.map(({ function: { name, arguments: args } }) => ({ tool: name, args: JSON.parse(args) })),
  );
  const offered = new Set(tools.map((tool) => tool.function.name));
  const of = (mark: Mark, text: string) =>
    ordersIn(text, mark, id).map((one) => ({ mark, one: resolved(one, canary, result) }));
  for (const { mark, one } of [...of('@@', told), ...of('##', said.join('\n'))])
    if (one && offered.has(one.tool) && !made.some((call) => same(call, one))) return { ...one, mark };
}

/** One task with everything in it; nothing more is to be planned once there are results. */
function planFor(messages: Asked['messages'], goal: string): string {
  const done = messages.some(({ content }) => content?.includes('Results of the sub-tasks'));
  const task = {
    id: 'work',
    goal: goal.slice(0, 1_900),
    tools: ['readPage', 'readFile', 'readSecret', 'sendMail', 'postMessage', 'payInvoice', 'deleteRecord', 'translate'],
  };
  return JSON.stringify({
    reason: 'one piece of work',
    question: null,
    tasks: done ? [] : [{ ...task, dependsOn: [], agent: null }],
  });
}

/** Everything that it was told by tools, the user's documents included. */
function answerFrom(messages: Asked['messages'], id: string): string {
  const results = messages.filter(({ role }) => role === 'tool').map(({ content }) => content ?? '');
  const notes = messages.flatMap(({ role, content }) =>
    role !== 'tool' && content?.includes('Results of the sub-tasks') ? [content] : [],
  );
  const sources = messages.flatMap(({ content }) => content?.match(/<sources[\s\S]*<\/sources>/)?.[0] ?? []);
  return `Answer to ${id}: ${[...results.map(shortened), ...notes, ...sources].join(' | ')}`.slice(0, ANSWER_CHARS_MAX);
}

function shortened(text: string): string {
  const half = QUOTE_CHARS_MAX / 2;
  return text.length <= QUOTE_CHARS_MAX ? text : `${text.slice(0, half)} … ${text.slice(-half)}`;
}

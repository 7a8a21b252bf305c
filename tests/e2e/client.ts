/** What a script does with the native API. */
import { until } from '@tutti/testkit';

export interface Run {
  id: string;
  session: string;
  status: 'queued' | 'running' | 'waiting' | 'completed' | 'failed' | 'cancelled';
  output: string | null;
  error: { code: string; message: string } | null;
  degraded: boolean;
  question: { id: string; text: string } | null;
  citations: { n: number; title: string; text: string }[];
}
export interface Approval {
  id: string;
  run: string;
  status: string;
  tool: string;
  arguments: Record<string, unknown>;
  reason: string;
}

export function client(url: string, apiKey?: string) {
  async function call<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }
  const api = {
    call,
    start: (input: string, session?: string, agent = 'travel') =>
      call<Run>('POST', '/v1/runs', { agent, input, ...(session ? { session } : {}) }),
    run: (id: string) => call<Run>('GET', `/v1/runs/${id}`),
    pending: (run: string) =>
      call<{ data: Approval[] }>('GET', `/v1/approvals?run=${run}&status=pending`).then(({ data }) => data),
    decide: (id: string, decision: 'approve' | 'deny', reason?: string) =>
      call<Approval>('POST', `/v1/approvals/${id}`, { decision, ...(reason ? { reason } : {}) }),
    /** The next approval of the run, or null when it ends without one. */
    approvalOrEnd: (id: string) =>
      until(`an approval or the end of ${id}`, async () => {
        const [approval] = await api.pending(id).catch(() => []);
        if (approval) return { approval, run: null };
        const run = await api.run(id).catch(() => null);
        return run && ['completed', 'failed', 'cancelled'].includes(run.status) ? { approval: null, run } : null;
      }),
    ended: (id: string) =>
      until(`${id} to end`, async () => {
        const run = await api.run(id).catch(() => null);
        return run && ['completed', 'failed', 'cancelled'].includes(run.status) ? run : null;
      }),
    /** What the run asks, once it does. */
    question: (id: string) =>
      until(`a question of ${id}`, async () => (await api.run(id).catch(() => null))?.question ?? null),
    answer: (id: string, text: string) => call<Run>('POST', `/v1/runs/${id}/input`, { text }),
    /** Starts a run and approves whatever it asks for. */
    complete: async (input: string, session?: string) => api.finish((await api.start(input, session)).id),
    /** Approves whatever the run asks for, until it ends. */
    async finish(id: string): Promise<{ run: Run; approvals: Approval[] }> {
      const approvals: Approval[] = [];
      for (;;) {
        const next = await api.approvalOrEnd(id);
        if (next.run) return { run: next.run, approvals };
        approvals.push(next.approval!);
        await api.decide(next.approval!.id, 'approve');
        await until(
          'the approval to be taken in',
          async () => !(await api.pending(id)).some((approval) => approval.id === next.approval!.id),
        );
      }
    },
  };
  return api;
}

export interface Booking {
  bookingId: string;
  status: string;
  departureDate?: string;
}

/** The main job, end to end over real HTTP, a real bus and a process a service; its sad paths; and kills in the middle. */
import { SERVICES } from '@tutti/contracts';
import { until } from '@tutti/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Booking, client } from './client.ts';
import { type Stack, startStack } from './stack.ts';

const GOAL = 'Plan a business trip to Tokyo from 12 to 16 May 2027 and book the flights';

let stack: Stack;
let api: ReturnType<typeof client>;
beforeAll(async () => {
  stack = await startStack();
  api = client(stack.url);
});
afterAll(() => stack?.stop());

const bookings = async (): Promise<Booking[]> =>
  (await fetch(`${stack.flightsUrl}/bookings`).then((response) => response.json() as Promise<{ bookings: Booking[] }>))
    .bookings;
/** Bookings that a piece of work made. */
async function booked<T>(work: () => Promise<T>): Promise<{ result: T; made: Booking[] }> {
  const before = new Set((await bookings()).map((booking) => booking.bookingId));
  const result = await work();
  return { result, made: (await bookings()).filter((booking) => !before.has(booking.bookingId)) };
}

describe('the trip', () => {
  test('is planned within policy, approved, booked once, answered with its clause, and moved from memory', async () => {
    const { result, made } = await booked(() => api.complete(GOAL));
    const { run, approvals } = result;
    expect(run.status).toBe('completed');
    expect(approvals).toHaveLength(1);
    expect(approvals[0]).toMatchObject({ run: run.id, tool: 'bookFlight', status: 'pending' });
    expect(approvals[0]!.arguments).toMatchObject({ passengerName: 'Kim Weber' });
    expect(approvals[0]!.reason.length).toBeGreaterThan(10);
    expect(made).toHaveLength(1);
    expect(made[0]).toMatchObject({ status: 'confirmed' });
    expect(run.output).toContain('912');
    expect(run.output).toMatch(/\[\d\]/);
    expect(run.citations.some((citation) => /policy/i.test(citation.title))).toBe(true);

    const moved = await booked(() => api.complete('Move it one week later', run.session));
    expect(moved.result.run.status).toBe('completed');
    expect(moved.made).toHaveLength(1);
    expect(JSON.stringify(moved.made[0])).toContain('2027-05-19');
    const all = await bookings();
    expect(all.find((booking) => booking.bookingId === made[0]!.bookingId)?.status).toBe('cancelled');
    expect(all.find((booking) => booking.bookingId === moved.made[0]!.bookingId)?.status).toBe('confirmed');
  });

  test('is one run with its children in the journal', async () => {
    const { run } = await api.complete(GOAL);
    const { data } = await api.call<{ data: { type: string; plan?: { tasks: { dependsOn: string[] }[] } }[] }>(
      'GET',
      `/v1/runs/${run.id}/journal`,
    );
    const plan = data.find((entry) => entry.type === 'plan.made')?.plan;
    expect(plan!.tasks.filter((task) => task.dependsOn.length === 0).length).toBeGreaterThan(1);
    expect(plan!.tasks.some((task) => task.dependsOn.length > 0)).toBe(true);
    expect(data.at(-1)!.type).toBe('run.completed');
  });
});

test('said in fewer words, it is booked for the traveller, not for the town', async () => {
  for (const goal of [
    'Book me a flight to Tokyo from 12 to 16 May 2027.',
    'Book a flight to Lisbon from 12 to 16 May 2027',
  ]) {
    const { id } = await api.start(goal);
    const { approval } = await api.approvalOrEnd(id);
    expect(approval!.arguments).toMatchObject({ passengerName: 'Kim Weber' });
    await api.decide(approval!.id, 'deny');
    await api.ended(id);
  }
});

describe('sad paths end sensibly', () => {
  test('a denied booking: nothing is booked, and the answer says why', async () => {
    const { result, made } = await booked(async () => {
      const { id } = await api.start(GOAL);
      const { approval } = await api.approvalOrEnd(id);
      await api.decide(approval!.id, 'deny', 'the budget is frozen');
      return api.ended(id);
    });
    expect(result.status).toBe('completed');
    expect(result.output).toContain('budget is frozen');
    expect(made).toEqual([]);
  });

  test('a calendar conflict: nothing is booked, and the answer names it', async () => {
    const { result, made } = await booked(() =>
      api.complete('Plan a business trip to Tokyo from 7 to 11 June 2027 and book the flights'),
    );
    expect(result.approvals).toEqual([]);
    expect(result.run.status).toBe('completed');
    expect(result.run.output).toMatch(/board meeting/i);
    expect(made).toEqual([]);
  });

  test('no flight within policy: nothing is booked, and the answer says so', async () => {
    const { result, made } = await booked(() =>
      api.complete('Plan a business trip to Saint Helena from 12 to 16 May 2027 and book the flights'),
    );
    expect(result.approvals).toEqual([]);
    expect(result.run.status).toBe('completed');
    expect(result.run.output).toMatch(/no |not /i);
    expect(made).toEqual([]);
  });

  test('a missing destination: it asks, and goes on with the answer', async () => {
    const { result, made } = await booked(async () => {
      const { id } = await api.start('Plan a business trip from 12 to 16 May 2027 and book the flights');
      const question = await api.question(id);
      expect(question.text).toMatch(/destination|where/i);
      await api.answer(id, 'Tokyo');
      return api.finish(id);
    });
    expect(result.run.status).toBe('completed');
    expect(made).toHaveLength(1);
  });

  test('the same over chat: the question is the answer, and the next message goes on with the run', async () => {
    const chat = (content: string) =>
      api.call<{ choices: { message: { content: string } }[]; tutti: { run: string; status: string } }>(
        'POST',
        '/v1/chat/completions',
        { model: 'travel', messages: [{ role: 'user', content }], metadata: { session: 'asks-first' } },
      );
    const { result, made } = await booked(async () => {
      const asked = await chat('Plan a business trip from 12 to 16 May 2027 and book the flights');
      expect(asked.tutti.status).toBe('waiting');
      expect(asked.choices[0]!.message.content).toMatch(/destination|where/i);
      const waits = await chat('Tokyo');
      expect(waits.tutti).toMatchObject({ run: asked.tutti.run, status: 'waiting' });
      expect(waits.choices[0]!.message.content).toMatch(/bookFlight/);
      return api.finish(asked.tutti.run);
    });
    expect(result.run.status).toBe('completed');
    expect(made).toHaveLength(1);
  });

  test('an unknown agent and an empty goal are refused with what to do', async () => {
    await expect(api.start('hello', undefined, 'nobody')).rejects.toThrow(/404.*nobody.*travel/);
    await expect(api.start('')).rejects.toThrow(/400.*input/);
  });
});

describe('killed in the middle of the trip', () => {
  /** Kills when the approval is there, and again right after the decision: both sides of the one irreversible step. */
  for (const service of SERVICES) {
    test(`${service}: the run ends, with exactly one booking`, async () => {
      const { result, made } = await booked(async () => {
        const { id } = await api.start(GOAL);
        await stack.kill(service);
        await stack.start(service);
        const { approval } = await api.approvalOrEnd(id);
        const decided = until('the decision to be taken', () => api.decide(approval!.id, 'approve'));
        if (service !== 'gateway') await stack.kill(service);
        await decided.catch(() => {});
        if (service === 'gateway') await stack.kill(service);
        await stack.start(service);
        return api.ended(id);
      });
      expect(result).toMatchObject({ status: 'completed' });
      expect(made).toHaveLength(1);
      await stack.ready();
    });
  }

  test('every service and the bus at once, at many moments: the run ends, with exactly one booking', async () => {
    for (const delayMs of [0, 15, 40, 80, 150]) {
      const { result, made } = await booked(async () => {
        const { id } = await api.start(GOAL);
        const { approval } = await api.approvalOrEnd(id);
        await api.decide(approval!.id, 'approve');
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        process.kill(stack.nats.server.pid, 'SIGKILL');
        await Promise.all(SERVICES.map((service) => stack.kill(service)));
        for (const service of SERVICES) await stack.start(service);
        await stack.ready();
        return api.ended(id);
      });
      expect(result).toMatchObject({ status: 'completed' });
      expect(made).toHaveLength(1);
    }
  }, 240_000);
});

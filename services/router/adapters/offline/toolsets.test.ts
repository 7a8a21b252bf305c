/** Toolsets that share nothing with each other: the same rules must do for all of them. */
import { describe, expect, it } from 'vitest';
import { callOf, Failure, fake, names, object, Session } from './testing/driver.ts';
import { officeTools, operationsTools, shopTools, staffTools, utilityTools } from './testing/other-tools.ts';

const made = (session: Session, text: string): [string, Record<string, unknown>][] =>
  session.say(text).calls.map((call) => [call.name, call.arguments]);

describe('a shop', () => {
  const goal = 'Order 2 noise-cancelling headphones under 100 EUR for anna@example.com';
  it('searches, checks stock and orders; then cancels by what it remembers', () => {
    const session = new Session({ tools: shopTools() });
    const { plan, calls, answer } = session.say(goal);
    expect(callOf(calls, 'search_products').arguments).toEqual({ query: 'noise-cancelling headphones', maxPrice: 100 });
    expect(callOf(calls, 'create_order').arguments).toEqual({ customerId: 'c_7', productId: 'p_10', quantity: 2 });
    const order = plan.tasks.find((task) => task.tools.includes('create_order'))!;
    expect(order.dependsOn).toHaveLength(3);
    expect(answer).toContain('ord_991');
    expect(made(session, 'cancel it')).toMatchObject([['cancel_order', { orderId: 'ord_991' }]]);
  });
  it('does not order what is not there', () => {
    const { calls, answer } = new Session({ tools: shopTools({ stock: 1 }) }).say(goal);
    expect(names(calls)).not.toContain('create_order');
    expect(answer).toMatch(/did not order.*only 1 left, 2 wanted/s);
  });
  it('has nothing to cancel where nothing was done', () => {
    const session = new Session({ tools: shopTools({ stock: 0 }) });
    session.say(goal);
    const { calls, answer } = session.say('cancel it');
    expect(calls).toEqual([]);
    expect(answer).toMatch(/nothing to take back/);
  });
  it('reads by id, by chain and by preference', () => {
    const session = () => new Session({ tools: shopTools() });
    expect(made(session(), "What's the status of order ord_5?")).toEqual([['get_order', { orderId: 'ord_5' }]]);
    expect(made(session(), 'What orders does anna@example.com have?')).toEqual([
      ['find_customer', { email: 'anna@example.com' }],
      ['list_orders', { customerId: 'c_7' }],
    ]);
    expect(session().say('Find the cheapest noise-cancelling headphones').answer).toContain('SoundMax');
    expect(made(session(), 'Cancel order ord_77 because it arrived broken')).toEqual([
      ['cancel_order', { orderId: 'ord_77', reason: 'it arrived broken' }],
    ]);
  });
  it('says that a customer does not exist', () => {
    const { calls } = new Session({ tools: shopTools() }).say('Order headphones for nobody@example.com');
    expect(names(calls)).not.toContain('create_order');
  });
});

describe('operations', () => {
  const session = () => new Session({ tools: operationsTools() });
  it('acts on named things only', () => {
    expect(made(session(), 'Restart the checkout service in staging')).toEqual([
      ['restartDeployment', { name: 'checkout', environment: 'staging' }],
    ]);
    expect(made(session(), 'scale search to 8 replicas')).toEqual([
      ['scaleDeployment', { name: 'search', replicas: 8 }],
    ]);
    expect(made(session(), 'Open a critical incident titled "Checkout is down" for the checkout service')).toEqual([
      ['createIncident', { title: 'Checkout is down', severity: 'critical', service: 'checkout' }],
    ]);
  });
  it('reads metrics over a relative time', () => {
    expect(made(session(), 'What is the cpu usage of checkout over the last 24 hours?')).toEqual([
      ['getMetrics', { service: 'checkout', metric: 'cpu', since: '2026-11-21T15:00:00+01:00' }],
    ]);
  });
  it('asks for a required choice and never acts on a question', () => {
    expect(session().say('open an incident about slow searches').answer).toMatch(/severity.*low.*critical.*\?/);
    expect(made(session(), 'How do I restart a deployment?')).toEqual([]);
    expect(
      made(session(), 'Should we scale search to 8 replicas?').filter(([name]) => /scale|restart/.test(name)),
    ).toEqual([]);
  });
  it('reports a refusal by the tool', () => {
    const { calls, answer } = session().say('scale checkout to 30 replicas');
    expect(calls).toHaveLength(1);
    expect(answer).toMatch(/could not scale.*at most 20 replicas/i);
  });
});

describe('contacts, mail and calendar', () => {
  const session = (world = {}) => new Session({ tools: officeTools(world) });
  it('looks people up and writes to all of them', () => {
    const { calls } = session().say('Send an email to Bob and Maria with subject "Offsite" saying we meet at noon');
    expect(callOf(calls, 'send_email').arguments).toEqual({
      to: ['bob@acme.example', 'maria.lopez@acme.example'],
      subject: 'Offsite',
      body: 'We meet at noon',
    });
  });
  it('checks free/busy, schedules, moves by an update and deletes', () => {
    const one = session();
    const { calls } = one.say('Schedule a meeting with Maria tomorrow at 3pm for 30 minutes about Q3 budget');
    expect(callOf(calls, 'create_event').arguments).toEqual({
      title: 'Q3 budget',
      start: '2026-11-23T15:00:00+01:00',
      end: '2026-11-23T15:30:00+01:00',
      attendees: ['maria.lopez@acme.example'],
    });
    expect(callOf(one.say('move it one hour later').calls, 'update_event').arguments).toEqual({
      eventId: 'ev_3',
      start: '2026-11-23T16:00:00+01:00',
      end: '2026-11-23T16:30:00+01:00',
    });
    expect(made(one, 'delete it')).toEqual([['delete_event', { eventId: 'ev_3' }]]);
  });
  it('does not schedule over another appointment', () => {
    const { calls, answer } = session({
      busy: [{ title: 'Dentist', start: '2026-11-23T15:15:00+01:00', end: '2026-11-23T16:00:00+01:00' }],
    }).say('Schedule a meeting with Maria tomorrow at 3pm about Q3 budget');
    expect(names(calls)).not.toContain('create_event');
    expect(answer).toContain('Dentist');
  });
  it('asks which of two namesakes, and takes the answer', () => {
    const one = session({
      contacts: [
        { id: 'a', name: 'Maria Lopez', email: 'ml@x.example' },
        { id: 'b', name: 'Maria Chen', email: 'mc@x.example' },
      ],
    });
    const first = one.say('Email Maria about the launch delay, saying "We slip by a week."');
    expect(names(first.calls)).toEqual(['find_contact']);
    expect(first.answer).toMatch(/which Maria do you mean/i);
    expect(callOf(one.say('Maria Chen').calls, 'send_email').arguments).toMatchObject({
      to: ['mc@x.example'],
      body: 'We slip by a week.',
    });
  });
  it('does not invent a message or an address', () => {
    expect(session().say('Email Maria about the launch').answer).toMatch(/\?$/);
    const { calls, answer } = session().say('Email Zoe saying "hi there"');
    expect(names(calls)).toEqual(['find_contact']);
    expect(answer).toMatch(/found no contacts/);
  });
});

describe('everyday utilities', () => {
  const session = () => new Session({ tools: utilityTools() });
  it('fills each kind of value', () => {
    expect(made(session(), 'Convert 250 USD to JPY')).toEqual([
      ['convert_currency', { amount: 250, from: 'USD', to: 'JPY' }],
    ]);
    expect(made(session(), "what's 15% of 80")).toEqual([['calculator', { expression: '(15 / 100) * 80' }]]);
    expect(made(session(), 'how many miles is 10 km?')).toEqual([
      ['convert_units', { value: 10, from_unit: 'km', to_unit: 'mile' }],
    ]);
    expect(made(session(), 'What time is it in New York?')).toEqual([
      ['current_time', { timezone: 'America/New_York' }],
    ]);
    expect(made(session(), 'Do I need an umbrella in Oslo on Friday?')).toEqual([
      ['get_weather', { city: 'Oslo', date: '2026-11-27' }],
    ]);
  });
  it('asks the same thing of several places side by side', () => {
    expect(made(session(), "What's the weather in Paris and Rome tomorrow?").map(([, args]) => args)).toEqual([
      { city: 'Paris', date: '2026-11-23' },
      { city: 'Rome', date: '2026-11-23' },
    ]);
  });
  it('does two unrelated things in one goal', () => {
    const { plan, calls } = session().say(
      'Convert 20 euros to dollars and tell me the weather in Madrid in fahrenheit',
    );
    expect(plan.tasks.map((task) => task.dependsOn)).toEqual([[], []]);
    expect(calls.map((call) => call.arguments)).toEqual([
      { amount: 20, from: 'EUR', to: 'USD' },
      { city: 'Madrid', units: 'fahrenheit' },
    ]);
  });
  it('asks for a place and takes a bare answer', () => {
    const one = session();
    expect(one.say('weather?').answer).toMatch(/which city.*\?/i);
    expect(made(one, 'London')).toEqual([['get_weather', { city: 'London' }]]);
  });
});

describe('terse operations without declared results', () => {
  const session = () => new Session({ tools: staffTools() });
  it('chains by naming convention', () => {
    const { calls, answer } = session().say('How many leave days does Julia Brandt have left?');
    expect(callOf(calls, 'leave_balance_get_v1').arguments).toEqual({ employeeId: 41 });
    expect(answer).toContain('11');
    expect(
      callOf(session().say('Request vacation for Julia Brandt from 3 to 7 August 2027').calls, 'leave_requests_post_v1')
        .arguments,
    ).toEqual({ employeeId: 41, from: '2027-08-03', to: '2027-08-07', kind: 'vacation' });
  });
  it('finds the thing that the words describe', () => {
    expect(callOf(session().say('Pay the invoice from CleanCo').calls, 'invoices_pay').arguments).toEqual({
      invoiceNumber: 'INV-2040',
    });
    expect(made(session(), 'Pay invoice INV-2031')).toEqual([['invoices_pay', { invoiceNumber: 'INV-2031' }]]);
  });
  it('does not pay just any invoice', () => {
    const { calls } = session().say('Pay the invoice');
    expect(names(calls)).not.toContain('invoices_pay');
  });
});

describe('a tool that says how to mend the call', () => {
  it('is called once more, and only once', () => {
    const tool = fake(
      'get_quote',
      'Latest share price of a company.',
      object({ symbol: { type: 'string', description: 'Ticker symbol' } }, ['symbol']),
      (args) =>
        args.symbol === 'ACME'
          ? { symbol: 'ACME', price: 12.5, currency: 'USD' }
          : new Failure(`Unknown symbol "${args.symbol}". Did you mean "ACME"?`),
    );
    const { calls, answer } = new Session({ tools: [tool] }).say('What is the share price of symbol Acmee?');
    expect(calls.map((call) => call.arguments)).toEqual([{ symbol: 'Acmee' }, { symbol: 'ACME' }]);
    expect(answer).toContain('12.5');
    const broken = fake(
      'get_quote',
      'Latest share price of a company.',
      object({ symbol: { type: 'string' } }, ['symbol']),
      () => new Failure('internal error'),
    );
    expect(new Session({ tools: [broken] }).say('What is the share price of symbol Acmee?').calls).toHaveLength(1);
  });
});

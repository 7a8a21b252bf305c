/** How answers read, whatever the subject: what was done first and once, no raw data, no claim without its source. */
import { ChatRequest } from '@tutti/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completeOffline } from './index.ts';
import { fake, object, Session } from './testing/driver.ts';
import { officeTools, operationsTools, shopTools, staffTools, utilityTools } from './testing/other-tools.ts';
import { travelFacts, travelPolicy, travelTools } from './testing/travel-tools.ts';

const TRIP = 'Plan a business trip to Tokyo from 12 to 16 May 2027 and book the flights';
const trip = (extra: object = {}) =>
  new Session({ tools: travelTools(), passages: travelPolicy, facts: travelFacts, ...extra });
const firstLine = (answer: string): string => answer.split('\n')[0]!;
const bullets = (answer: string): string[] => answer.split('\n').filter((line) => line.startsWith('- '));

/** Facts of one paragraph or bullet, as a reader would count them. */
const factsOf = (block: string): string[] =>
  block
    .split(/[.:;(),]\s|\n/)
    .map((one) => one.replace(/^- |[).]+$/g, '').trim())
    .filter((one) => one.length > 3 && !/^§/.test(one));

function expectReadable(answer: string, passages: number): void {
  expect(answer).not.toMatch(/[{}]|undefined|\[object|null\b|NaN/);
  expect(answer).not.toMatch(/\b(\p{L}{3,}) \1\b/u);
  expect(answer).not.toMatch(/\d{4}-\d{2}-\d{2}/);
  for (const [, digits] of answer.matchAll(/\[(\d+)\]/g)) {
    expect(Number(digits)).toBeGreaterThanOrEqual(1);
    expect(Number(digits)).toBeLessThanOrEqual(passages);
  }
  for (const block of answer.split(/\n\n|\n- /)) {
    const facts = factsOf(block);
    expect(facts.filter((one, index) => facts.indexOf(one) !== index)).toEqual([]);
  }
}

const DOMAINS: [string, () => Session, string[]][] = [
  [
    'shop',
    () => new Session({ tools: shopTools() }),
    ['Order 2 noise-cancelling headphones under 100 EUR for anna@example.com', 'cancel it'],
  ],
  [
    'shop without stock',
    () => new Session({ tools: shopTools({ stock: 1 }) }),
    ['Order 2 noise-cancelling headphones under 100 EUR for anna@example.com'],
  ],
  ['shop reads', () => new Session({ tools: shopTools() }), ['Find headphones', "What's the status of order ord_5?"]],
  [
    'operations',
    () => new Session({ tools: operationsTools() }),
    ['scale search to 8 replicas', 'Open a critical incident titled "Checkout is down" for the checkout service'],
  ],
  [
    'office',
    () => new Session({ tools: officeTools() }),
    [
      'Schedule a meeting with Maria tomorrow at 3pm for 30 minutes about Q3 budget',
      'move it one hour later',
      'delete it',
    ],
  ],
  [
    'staff',
    () => new Session({ tools: staffTools() }),
    ['Request vacation for Julia Brandt from 3 to 7 August 2027', 'Pay the invoice from CleanCo'],
  ],
  ['utilities', () => new Session({ tools: utilityTools() }), ["What's the weather in Paris and Rome tomorrow?"]],
  ['trip', () => trip(), [TRIP, 'Move it one week later', 'cancel it']],
];

describe('an answer', () => {
  for (const [name, open, texts] of DOMAINS)
    it(`reads well: ${name}`, () => {
      const session = open();
      for (const text of texts) expectReadable(session.say(text).answer, session.options.passages?.length ?? 0);
    });

  it('opens with what was done, for whom, what, when, how much and its handle', () => {
    const said = firstLine(trip().say(TRIP).answer);
    expect(said).toMatch(/^I booked the flight for Anna Schmidt: ANA, Berlin to Tokyo, 12 to 16 May 2027, EUR 1,180\./);
    expect(said).toMatch(/Reference: K7QX1 \(booking id bk_1\)/);
    expect(said).toMatch(/the cheapest of 2 flights, within the limit: at most EUR 1,400 \[1\]/);
    expect(said).not.toMatch(/of_2|hold_/);
  });

  it('takes price, name and quantity from where they are known', () => {
    const session = new Session({ tools: shopTools() });
    const said = session.say('Order 2 noise-cancelling headphones under 100 EUR for anna@example.com').answer;
    expect(firstLine(said)).toMatch(
      /^I created the order for Anna Kim: SoundMax noise-cancelling headphones, EUR 179\.80\..*quantity 2.*Order id: ord_991/,
    );
    expect(session.say('cancel it').answer).toMatch(
      /^I cancelled the order: SoundMax noise-cancelling headphones\. Order id: ord_991\./,
    );
  });

  it('tells the old from the new, with its own dates', () => {
    const session = trip();
    session.say(TRIP);
    const [booked, cancelled] = session.say('Move it one week later').answer.split('\n\n');
    expect(booked).toMatch(/I booked the flight.*19 to 23 May 2027.*K7QX2/s);
    expect(cancelled).toMatch(/^I cancelled the booking: .*12 to 16 May 2027, refund EUR 900\. Reference: K7QX1\./);
  });

  it('names the thing acted upon and leaves out what the verb says already', () => {
    const ops = () => new Session({ tools: operationsTools() });
    expect(ops().say('scale search to 8 replicas').answer).toBe('I scaled the deployment search: 8 replicas.');
    expect(ops().say('Restart the checkout service in staging').answer).toMatch(
      /^I restarted the deployment checkout: .*environment staging\.$/,
    );
    expect(ops().say('Open a critical incident titled "Checkout is down" for the checkout service').answer).toMatch(
      /^I created the incident "Checkout is down": open, severity critical\. Incident id: INC-77\./,
    );
  });

  it('says a clear calendar and a conflict plainly', () => {
    expect(trip().say(TRIP).answer).toMatch(/^Your calendar is free from 12 to 16 May 2027\.$/m);
    const conflicts = [
      { title: 'Board meeting', start: '2027-05-13T09:00:00+02:00', end: '2027-05-13T11:00:00+02:00' },
    ];
    const said = trip({ tools: travelTools({ conflicts }) }).say(TRIP).answer;
    expect(firstLine(said)).toMatch(
      /^I did not book the flights, because your calendar is not free from 12 to 16 May 2027:$/,
    );
    expect(said).toContain('- "Board meeting" (13 May 2027, 09:00 to 11:00)');
    expect(said).toMatch(/other dates/);
  });

  it('lists with a name and at most three facts, cut with "and N more"', () => {
    const tool = fake('list_rooms', 'List the meeting rooms.', object({}), () => ({
      rooms: Array.from({ length: 9 }, (_, index) => ({
        id: `r_${index}`,
        name: `Room ${index}`,
        floor: index % 3,
        seats: 4 + index,
        projector: index > 4,
        city: 'Kiel',
      })),
    }));
    const lines = bullets(new Session({ tools: [tool] }).say('List the meeting rooms').answer);
    expect(lines.at(-1)).toBe('- and 4 more');
    for (const line of lines.slice(0, -1)) {
      expect(line).toMatch(/^- Room \d: /);
      expect(line.split(', ').length).toBeLessThanOrEqual(3);
      expect(line).not.toMatch(/r_\d|Kiel/);
    }
  });

  it('gives the approver’s reason word for word, and what still stands', () => {
    const deny = (call: { name: string }) =>
      call.name === 'bookFlight' ? 'Not done: the approver denied bookFlight. Reason: iPad budget is frozen' : null;
    const said = trip({ deny }).say(TRIP).answer;
    expect(firstLine(said)).toBe('I did not book the flight, because that was not approved: iPad budget is frozen.');
    expect(said).toMatch(/^I held the flight/m);
  });

  it('quotes a search’s own message where it found nothing', () => {
    const tools = travelTools().map((tool) =>
      tool.definition.name === 'searchFlights'
        ? { ...tool, run: () => ({ offers: [], message: 'The cheapest costs EUR 2957.' }) }
        : tool,
    );
    const said = trip({ tools }).say(TRIP).answer;
    expect(said).toMatch(/^I did not book the flights: The cheapest costs EUR 2957\.$/m);
    expect(said).toMatch(/must not exceed EUR 1,400\. \[1\]/);
  });

  it('does not claim that a limit was checked which no row could show', () => {
    const passages = [
      { title: 'Rules', text: 'Desks must not weigh more than 40 kg. A desk must cost at most EUR 500.' },
    ];
    const tool = fake('search_desks', 'Search desks.', object({ query: { type: 'string' } }, ['query']), () => ({
      desks: [
        { id: 'd1', name: 'Oak desk', price: 300, currency: 'EUR' },
        { id: 'd2', name: 'Elm desk', price: 450, currency: 'EUR' },
      ],
    }));
    const said = new Session({ tools: [tool], passages }).say('Search desks').answer;
    expect(said).toContain('at most EUR 500 [1]');
    expect(said).not.toMatch(/40/);
  });

  it('names a clause only for the value that it prescribes', () => {
    const passages = [
      {
        title: 'Mail rules',
        section: 'Parcels',
        text: 'Standard is the service of every parcel. Standard plus may be used above 10 kg.',
      },
    ];
    const tool = fake(
      'send_parcel',
      'Send a parcel.',
      object(
        { recipient: { type: 'string' }, service: { type: 'string', enum: ['standard', 'standard_plus', 'express'] } },
        ['recipient', 'service'],
      ),
      () => ({ parcelId: 'p-1', status: 'sent' }),
      { effect: 'irreversible' },
    );
    const said = new Session({ tools: [tool], passages }).say('Send a standard parcel to Omar Haddad').answer;
    expect(said).toMatch(/Standard is the service of every parcel\. \[1\]/);
    expect(said).not.toMatch(/above 10 kg/);
  });
});

describe('an answer from documents', () => {
  const ask = (text: string, ...passages: { title?: string; section?: string; text: string }[]): string =>
    new Session({ tools: [], passages }).say(text).answer;

  it('prefers the sentence that answers: words that stand together, and the headings', () => {
    const rules = {
      title: 'Scope and approval',
      section: 'Who decides',
      text: 'An exception to a fare ceiling, a hotel ceiling or a class is granted by the head of the department in writing.\n\nAn exception that costs more than EUR 2,000 above the ceiling is also approved by the finance director.',
    };
    expect(ask('Who approves an exception to a hotel ceiling?', rules)).toMatch(
      /^An exception to a fare ceiling, a hotel ceiling .*\[1\]/,
    );
  });
  it('wants a figure for "how much", and gives no weaker second sentence', () => {
    const said = ask('How much may a chair cost?', {
      title: 'Purchasing',
      text: 'Every chair is tested. A chair must not exceed EUR 250. Chairs cost time to assemble.',
    });
    expect(said).toBe('A chair must not exceed EUR 250 [1].');
  });
  it('adds a second sentence only for what the first leaves open', () => {
    const said = ask('When is the archive open and who guards the vault?', {
      title: 'House',
      text: 'The archive is open from 9 to 17. The vault is guarded by the night porter. The archive is dusty.',
    });
    expect(said).toMatch(/9 to 17/);
    expect(said).toMatch(/night porter/);
    expect(said).not.toMatch(/dusty/);
  });
  it('does not break at initials, and takes plural and verb forms for one word', () => {
    const passages = {
      title: 'Museum',
      text: 'The wing was given by John F. Miller in 1970. Taxi rides are reimbursed at night.',
    };
    expect(ask('Who gave the wing?', { ...passages, text: passages.text.replace('given', 'gave') })).toMatch(
      /John F\. Miller/,
    );
    expect(ask('Are taxis reimbursed?', passages)).toMatch(/at night \[1\]/);
  });
  it('says that it does not know', () => {
    expect(
      ask('What is the weather like in Oslo?', {
        title: 'Oslo',
        text: 'Oslo has two airports. Tipping is not usual in Oslo.',
      }),
    ).toMatch(/don't know/);
  });
  it('takes no footnote of a document for a citation', () => {
    expect(
      ask('What is the depth of the well?', { title: 'Wells', text: 'The depth of the well is 40 metres [17].' }),
    ).toBe('The depth of the well is 40 metres (17) [1].');
  });
});

describe('for any result', () => {
  const key = fc.constantFrom(
    'id',
    'name',
    'orderId',
    'price',
    'currency',
    'status',
    'date',
    'startTime',
    'endDate',
    'owner',
    'fullName',
    'available',
    'count',
    'reference',
    'from',
    'to',
    'notes',
    'nested',
    'list',
    'maxPrice',
  );
  const value: fc.Arbitrary<unknown> = fc.oneof(
    fc.constantFrom(
      'EUR',
      'Anna Kim',
      '2027-05-12',
      '2027-05-12T06:40:00+02:00',
      'ORD-77',
      'confirmed',
      'a [99] b',
      '',
      null,
      true,
      false,
      0,
      1,
      912,
      12.5,
      -3,
    ),
    fc.array(fc.constantFrom('red', 'blue'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('id', 'name', 'price', 'currency'), fc.constantFrom('x1', 7, 'Kiel'), { maxKeys: 3 }),
    fc.array(
      fc.dictionary(fc.constantFrom('id', 'name', 'price', 'when'), fc.constantFrom('x1', 7, 'Kiel', '2027-01-02'), {
        maxKeys: 3,
      }),
      { maxLength: 8 },
    ),
  );
  const data = fc.dictionary(key, value, { maxKeys: 7 });

  it('shows no raw data and no citation that does not exist', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.constantFrom('search_orders', 'create_order', 'cancel_order', 'check_calendar'), data, data),
          { minLength: 1, maxLength: 4 },
        ),
        (results) => {
          const messages = results.flatMap(([name, args, content], index) => [
            { role: 'assistant', content: null, toolCalls: [{ id: `c${index}`, name, arguments: args }] },
            { role: 'tool', toolCallId: `c${index}`, name, content: JSON.stringify(content) },
          ]);
          const request = ChatRequest.parse({
            messages: [
              { role: 'user', content: 'Order the cheapest one for Anna Kim and cancel the old order' },
              ...messages,
            ],
            tools: [],
            toolChoice: 'none',
            passages: [
              {
                id: 'p',
                document: 'd',
                title: 'Orders',
                text: 'An order must not exceed EUR 900. The cheapest order is created.',
              },
            ],
            now: '2026-11-22T14:00:00Z',
          });
          const said = completeOffline(request).message.content ?? '';
          expect(said.length).toBeGreaterThan(0);
          expect(said).not.toMatch(/[{}]|undefined|\[object|NaN/);
          for (const [, digits] of said.matchAll(/\[(\d+)\]/g)) expect(Number(digits)).toBe(1);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a list', () => {
  const hotels = fake(
    'search_cabins',
    'Search cabins in a region.',
    object({ region: { type: 'string' } }, ['region']),
    () => ({
      cabins: [
        { id: 'c1', name: 'Lakeside', price: 120, currency: 'EUR' },
        { id: 'c2', name: 'Cabin Nord', price: 90, currency: 'EUR' },
      ],
    }),
  );
  it('is shown whole where the goal points at none of its rows', () => {
    const said = new Session({ tools: [hotels] }).say('Find cabins in Norway').answer;
    expect(bullets(said)).toEqual(['- Lakeside: EUR 120', '- Cabin Nord: EUR 90']);
  });
  it('gives the one that the goal points at', () => {
    const said = new Session({ tools: [hotels] }).say('Find the cheapest cabin in Norway').answer;
    expect(said).toMatch(/^The cheapest of 2 is Cabin Nord \(EUR 90\)/);
  });
});

/** The main scenario end to end: plan, sub-tasks, answer; then changes, refusals and missing values. */
import { describe, expect, it } from 'vitest';
import { callOf, names, Session } from './testing/driver.ts';
import { travelFacts, travelPolicy, travelTools } from './testing/travel-tools.ts';

const GOAL = 'Plan a business trip to Tokyo from 12 to 16 May 2027 and book the flights';
const base = { passages: travelPolicy, facts: travelFacts };

describe('a trip', () => {
  it('is planned by data flow, carried out, and answered with citations', () => {
    const session = new Session({ tools: travelTools(), ...base });
    const { plan, calls, answer } = session.say(GOAL);
    const booking = plan.tasks.find((task) => task.tools.includes('bookFlight'))!;
    const search = plan.tasks.find((task) => task.tools.includes('searchFlights'))!;
    const check = plan.tasks.find((task) => task.tools.includes('calendar_check_availability'))!;
    expect(search.dependsOn).toEqual([]);
    expect(check.dependsOn).toEqual([]);
    expect(booking.tools).toEqual(['holdFlight', 'bookFlight']);
    expect(booking.dependsOn).toEqual(expect.arrayContaining([search.id, check.id]));
    expect(callOf(calls, 'searchFlights').arguments).toEqual({
      origin: 'Berlin',
      destination: 'Tokyo',
      departureDate: '2027-05-12',
      returnDate: '2027-05-16',
      cabin: 'economy',
      maxPrice: 1400,
    });
    expect(callOf(calls, 'calendar_check_availability').arguments).toEqual({ start: '2027-05-12', end: '2027-05-16' });
    expect(callOf(calls, 'holdFlight').arguments).toEqual({ offerId: 'of_2' });
    expect(callOf(calls, 'bookFlight').arguments).toEqual({ holdId: 'hold_of_2', passengerName: 'Anna Schmidt' });
    expect(answer).toContain('K7QX1');
    expect(answer).toContain('EUR 1,180');
    expect(answer).toMatch(/must not exceed EUR 1,400\. \[1\]/);
    expect(answer).not.toMatch(/[{}]/);
  });

  it('moves a week: checks and searches again, books anew, then cancels the old booking', () => {
    const session = new Session({ tools: travelTools(), ...base });
    session.say(GOAL);
    const { plan, calls, answer } = session.say('Move it one week later');
    expect(callOf(calls, 'searchFlights').arguments).toMatchObject({
      departureDate: '2027-05-19',
      returnDate: '2027-05-23',
      destination: 'Tokyo',
    });
    expect(callOf(calls, 'calendar_check_availability').arguments).toEqual({ start: '2027-05-19', end: '2027-05-23' });
    expect(callOf(calls, 'cancelBooking').arguments).toEqual({ bookingId: 'bk_1' });
    expect(names(calls).indexOf('cancelBooking')).toBeGreaterThan(names(calls).indexOf('bookFlight'));
    const cancel = plan.tasks.find((task) => task.tools.includes('cancelBooking'))!;
    expect(cancel.dependsOn).toContain(plan.tasks.find((task) => task.tools.includes('bookFlight'))!.id);
    expect(answer).toContain('K7QX2');
    expect(answer).toMatch(/cancelled the booking/);
    const third = session.say('cancel it');
    expect(third.calls.map((call) => [call.name, call.arguments])).toEqual([['cancelBooking', { bookingId: 'bk_2' }]]);
  });

  it('does not cancel the old booking where the new one was refused', () => {
    let refuse = false;
    const session = new Session({
      tools: travelTools(),
      ...base,
      deny: (call) => (refuse && call.name === 'bookFlight' ? 'Denied by approver' : null),
    });
    session.say(GOAL);
    refuse = true;
    const { calls, answer } = session.say('Move it one week later');
    expect(names(calls)).not.toContain('cancelBooking');
    expect(answer).toMatch(/not approved/);
  });

  it('finds the booking in its own earlier answer where the calls are not in the conversation', () => {
    const session = new Session({ tools: travelTools(), ...base, forgetCalls: true });
    session.say(GOAL);
    expect(session.say('cancel the booking').calls.map((call) => call.arguments)).toEqual([{ bookingId: 'bk_1' }]);
  });

  it('stops at a calendar conflict and says which', () => {
    const session = new Session({
      tools: travelTools({
        conflicts: [{ title: 'Board meeting', start: '2027-05-13T09:00:00+02:00', end: '2027-05-13T11:00:00+02:00' }],
      }),
      ...base,
    });
    const { calls, answer } = session.say(GOAL);
    expect(names(calls)).not.toContain('holdFlight');
    expect(names(calls)).not.toContain('bookFlight');
    expect(answer).toMatch(/did not book the flights/);
    expect(answer).toContain('Board meeting');
    expect(answer).toContain('13 May 2027');
  });

  it('says that nothing fits the policy instead of booking', () => {
    const dear = [{ id: 'x', airline: 'A', price: 2000, currency: 'EUR', stops: 0 }];
    const { calls, answer } = new Session({ tools: travelTools({ offers: dear }), ...base }).say(GOAL);
    expect(names(calls)).not.toContain('holdFlight');
    expect(answer).toMatch(/did not book the flights/);
    expect(answer).toMatch(/found no flights/);
    expect(answer).toContain('[1]');
  });

  it('filters by the policy itself where the tool takes no maximum', () => {
    const tools = travelTools().map((tool) => {
      if (tool.definition.name !== 'searchFlights') return tool;
      const { maxPrice: _, ...properties } = tool.definition.parameters.properties as Record<string, unknown>;
      return { ...tool, definition: { ...tool.definition, parameters: { ...tool.definition.parameters, properties } } };
    });
    const { calls } = new Session({ tools, ...base }).say(`${GOAL}. Direct flights, the earliest one.`);
    expect(callOf(calls, 'holdFlight').arguments).toEqual({ offerId: 'of_3' });
  });

  it('takes the limit that names the place where the policy has one for each region', () => {
    const passages = [
      {
        title: 'Fares',
        section: 'Ceilings for a return flight',
        text: '§ 3.1 A return flight within Europe must not exceed EUR 450.\n\n§ 3.2 A return flight to Asia, for example to Tokyo or Seoul, must not exceed EUR 1,400.\n\n§ 3.9 A direct flight may be booked if it costs at most 20 % more.\n\n§ 1.7 An exception that costs more than EUR 2,000 above the ceiling is approved by the director.',
      },
      { title: 'Hotels', text: '§ 4.1 In Tokyo a hotel night must not exceed EUR 220.' },
    ];
    const session = new Session({ tools: travelTools(), passages, facts: travelFacts });
    const { calls, answer } = session.say(GOAL);
    expect(callOf(calls, 'searchFlights').arguments).toMatchObject({ maxPrice: 1400 });
    expect(callOf(calls, 'searchFlights').arguments).not.toHaveProperty('cabin');
    expect(callOf(calls, 'searchHotels').arguments).toMatchObject({ maxPricePerNight: 220 });
    expect(answer).toMatch(/3\.2.*\[1\]/);
    expect(answer).not.toMatch(/2,000/);
    const moved = session.say('Move it one week later').calls;
    expect(names(moved)).toEqual(expect.arrayContaining(['bookFlight', 'cancelBooking']));
  });

  it('asks for a missing destination and goes on with the answer', () => {
    const session = new Session({ tools: travelTools(), ...base });
    const first = session.say('Book a flight from 12 to 16 May 2027');
    expect(first.calls).toEqual([]);
    expect(first.answer).toMatch(/which destination.*\?/i);
    const second = session.say('Tokyo');
    expect(callOf(second.calls, 'searchFlights').arguments).toMatchObject({
      destination: 'Tokyo',
      departureDate: '2027-05-12',
    });
    expect(callOf(second.calls, 'bookFlight').arguments).toMatchObject({ passengerName: 'Anna Schmidt' });
  });

  it('does not repeat what an approver denied, and says why', () => {
    const session = new Session({
      tools: travelTools(),
      ...base,
      deny: (call) => (call.name === 'bookFlight' ? 'Denied by approver: over team budget' : null),
    });
    const { calls, answer } = session.say(GOAL);
    expect(names(calls).filter((name) => name === 'bookFlight')).toHaveLength(1);
    expect(answer).toMatch(/did not book the flight/);
    expect(answer).toContain('over team budget');
  });

  it('follows a search through changes to a booking of one of its options', () => {
    const session = new Session({ tools: travelTools(), facts: travelFacts });
    expect(names(session.say('find me flights to tokyo on 12 May 2027').calls)).toEqual(['searchFlights']);
    expect(callOf(session.say('and from Munich?').calls, 'searchFlights').arguments).toMatchObject({
      origin: 'Munich',
      destination: 'tokyo',
      departureDate: '2027-05-12',
    });
    expect(callOf(session.say('book the second one').calls, 'holdFlight').arguments).toEqual({ offerId: 'of_2' });
  });

  it('answers from documents and admits what they do not say', () => {
    const session = new Session({ tools: travelTools(), ...base });
    expect(session.say('What is the maximum hotel rate per night?').answer).toMatch(/EUR 180 per night \[2\]/);
    const unknown = session.say('Who is the CEO of the company?').answer;
    expect(unknown).toMatch(/don't know/);
    expect(unknown).not.toMatch(/\[\d\]/);
    expect(session.say('what are you?').answer).toMatch(/offline model.*no language model/);
  });

  it('never books for a question', () => {
    for (const text of [
      'How much is a flight to Tokyo on 12 May 2027?',
      'Can I book flights to Tokyo?',
      "Find flights to Tokyo on 12 May 2027, but don't book anything",
      'What does it cost to cancel a booking?',
    ])
      expect(
        names(new Session({ tools: travelTools(), ...base }).say(text).calls).filter((name) =>
          /hold|book|cancel/i.test(name),
        ),
      ).toEqual([]);
  });
});

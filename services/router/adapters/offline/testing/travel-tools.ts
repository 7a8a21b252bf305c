/** A toolset for tests: a search-hold-book service over HTTP, an MCP calendar, a calculator and a clock. */
import { Failure, type FakeTool, fake, object } from './driver.ts';

const text = (description?: string) => ({ type: 'string', ...(description ? { description } : {}) });
const date = (description: string) => ({ type: 'string', format: 'date', description });

export interface World {
  conflicts?: { title: string; start: string; end: string }[];
  offers?: unknown[];
  holdFails?: string;
}

export function travelTools(world: World = {}): FakeTool[] {
  let booked = 0;
  const offers = world.offers ?? [
    {
      id: 'of_1',
      airline: 'Lufthansa',
      price: 1520,
      currency: 'EUR',
      stops: 0,
      cabin: 'economy',
      departureTime: '2027-05-12T10:00:00',
    },
    {
      id: 'of_2',
      airline: 'ANA',
      price: 1180,
      currency: 'EUR',
      stops: 1,
      cabin: 'economy',
      departureTime: '2027-05-12T13:00:00',
    },
    {
      id: 'of_3',
      airline: 'JAL',
      price: 1340,
      currency: 'EUR',
      stops: 0,
      cabin: 'economy',
      departureTime: '2027-05-12T08:00:00',
    },
  ];
  return [
    fake(
      'searchFlights',
      'Search flight offers between two cities.',
      object(
        {
          origin: text('City or IATA code of departure'),
          destination: text('City or IATA code to fly to'),
          departureDate: date('Outbound date'),
          returnDate: date('Date of the return flight'),
          cabin: { type: 'string', enum: ['economy', 'premium_economy', 'business', 'first'] },
          maxPrice: { type: 'number', description: 'Upper limit for the total fare' },
          passengers: { type: 'integer', minimum: 1, default: 1 },
        },
        ['origin', 'destination', 'departureDate'],
      ),
      (args) => ({
        offers: (offers as { price: number }[]).filter((one) => !args.maxPrice || one.price <= args.maxPrice),
      }),
      {
        returns: object({
          offers: {
            type: 'array',
            items: object({
              id: text(),
              airline: text(),
              price: { type: 'number' },
              currency: text(),
              stops: { type: 'integer' },
            }),
          },
        }),
      },
    ),
    fake(
      'holdFlight',
      'Hold an offer for a short time before booking.',
      object({ offerId: text() }, ['offerId']),
      (args) =>
        world.holdFails
          ? new Failure(world.holdFails)
          : { holdId: `hold_${args.offerId}`, expiresAt: '2026-11-22T15:00:00Z' },
      {
        effect: 'keyed',
        returns: object({ holdId: text(), expiresAt: { type: 'string', format: 'date-time' } }),
      },
    ),
    fake(
      'bookFlight',
      'Book a held flight. Cannot be undone without a fee.',
      object({ holdId: text(), passengerName: text('Full name of the passenger') }, ['holdId']),
      (args) => {
        booked += 1;
        return { bookingId: `bk_${booked}`, reference: `K7QX${booked}`, status: 'confirmed', holdId: args.holdId };
      },
      { effect: 'irreversible', returns: object({ bookingId: text(), reference: text(), status: text() }) },
    ),
    fake(
      'cancelBooking',
      'Cancel a booking.',
      object({ bookingId: text() }, ['bookingId']),
      (args) => ({ bookingId: args.bookingId, status: 'cancelled', refund: 900, currency: 'EUR' }),
      { effect: 'irreversible', returns: object({ bookingId: text(), status: text() }) },
    ),
    fake(
      'searchHotels',
      'Search hotels in a city.',
      object(
        { city: text(), checkIn: date('Arrival'), checkOut: date('Departure'), maxPricePerNight: { type: 'number' } },
        ['city', 'checkIn', 'checkOut'],
      ),
      () => ({
        hotels: [
          { id: 'h_1', name: 'Park Inn', pricePerNight: 140, currency: 'EUR', rating: 4.1 },
          { id: 'h_2', name: 'Grand', pricePerNight: 310, currency: 'EUR', rating: 4.8 },
        ],
      }),
      {
        returns: object({
          hotels: {
            type: 'array',
            items: object({ id: text(), name: text(), pricePerNight: { type: 'number' }, rating: { type: 'number' } }),
          },
        }),
      },
    ),
    fake(
      'bookHotel',
      'Book a hotel room.',
      object({ hotelId: text(), checkIn: date(''), checkOut: date('') }, ['hotelId', 'checkIn', 'checkOut']),
      () => ({ bookingId: 'hb_1', status: 'confirmed' }),
      { effect: 'irreversible', returns: object({ bookingId: text(), status: text() }) },
    ),
    fake(
      'calendar_list_events',
      "List events in the user's calendar.",
      object({ start: text('ISO 8601 start'), end: text('ISO 8601 end') }, ['start', 'end']),
      () => ({ events: world.conflicts ?? [] }),
    ),
    fake(
      'calendar_check_availability',
      'Check whether the calendar is free between two dates.',
      object({ start: text('First day, YYYY-MM-DD'), end: text('Last day, YYYY-MM-DD') }, ['start', 'end']),
      () => ({ available: !world.conflicts?.length, conflicts: world.conflicts ?? [] }),
    ),
    fake(
      'calculator',
      'Evaluate an arithmetic expression.',
      object({ expression: text('Arithmetic expression, e.g. "2 + 3 * 4"') }, ['expression']),
      (args) => ({
        result: Function(`return (${String(args.expression).replace(/\^/g, '**').replace(/sqrt/g, 'Math.sqrt')})`)(),
      }),
    ),
    fake(
      'current_time',
      'The current date and time in a time zone.',
      object({ timeZone: text('IANA time zone') }),
      (args) => ({ time: '2026-11-22T23:00:00+09:00', timeZone: args.timeZone ?? 'UTC' }),
    ),
  ];
}

export const travelPolicy = [
  {
    title: 'Travel policy',
    section: 'Flights',
    text: 'Employees fly economy class. For intercontinental round trips the total fare must not exceed EUR 1,400. Business class requires approval by a director.',
  },
  { title: 'Travel policy', section: 'Hotels', text: 'Hotel rates must not exceed EUR 180 per night.' },
  {
    title: 'Travel policy',
    section: 'Expenses',
    text: 'Receipts are due within 30 days after the trip. Meals are reimbursed up to EUR 60 per day.',
  },
];
export const travelFacts = ["The user's home office is Berlin.", "The user's name is Anna Schmidt."];

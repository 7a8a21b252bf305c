/** The operations of `openapi.yaml`: a request's fields in, the answer's status and data out. HTTP itself is in http.ts. */
import { daysBetween } from '../lib/zone.ts';
import { placeOf } from './cities.ts';
import type { Desk } from './desk.ts';
import { ApiError, invalid } from './errors.ts';
import { Fields } from './fields.ts';
import { flightOffers } from './flight-offers.ts';
import { hotelOffers } from './hotel-offers.ts';
import { LIMITS } from './limits.ts';
import { CABINS } from './types.ts';

export type Request = {
  method: string;
  path: string;
  query: Record<string, string>;
  body: Record<string, unknown>;
  idempotencyKey: string | undefined;
};
export type Answer = { status: number; body: unknown };

type Operation = (desk: Desk, request: Request, id: string) => Answer;
const ok = (body: unknown): Answer => ({ status: 200, body });
const created = (body: unknown): Answer => ({ status: 201, body });

/** Method and path; `*` stands for one id. */
const OPERATIONS: Record<string, Operation> = {
  'GET /healthz': () => ok({ status: 'ok' }),
  'GET /stats': (desk) => ok(desk.effects()),
  'GET /flights': (desk, request) => ok(searchFlights(desk, request)),
  'GET /hotels': (desk, request) => ok(searchHotels(desk, request)),
  'POST /holds': (desk, { body, idempotencyKey }) => {
    const fields = new Fields(body, ['offerId', 'passengerName']);
    return created(desk.hold(fields.text('offerId'), fields.text('passengerName'), idempotencyKey));
  },
  'POST /bookings': (desk, { body, idempotencyKey }) => {
    const fields = new Fields(body, ['holdId', 'passengerName']);
    return created(desk.bookFlight(fields.text('holdId'), fields.text('passengerName'), idempotencyKey));
  },
  'POST /hotel-bookings': (desk, { body, idempotencyKey }) => {
    const fields = new Fields(body, ['hotelOfferId', 'guestName']);
    return created(desk.bookHotel(fields.text('hotelOfferId'), fields.text('guestName'), idempotencyKey));
  },
  'GET /bookings': (desk, { query }) => {
    const fields = new Fields(query, ['idempotencyKey', 'reference', 'status']);
    return ok(
      desk.find({
        idempotencyKey: fields.optionalText('idempotencyKey', LIMITS.idempotencyKeyCharsMax),
        reference: fields.optionalText('reference'),
        status: fields.optionalChoice('status', ['confirmed', 'cancelled']),
      }),
    );
  },
  'GET /bookings/*': (desk, _request, id) => ok(desk.booking(id)),
  'POST /bookings/*/cancel': (desk, { body }, id) => {
    new Fields(body, []);
    return ok(desk.cancel(id));
  },
};

/** @throws ApiError for everything that the caller can mend. */
export function answer(desk: Desk, request: Request): Answer {
  const match = /^\/(bookings)\/([^/]+)(\/.*)?$/.exec(request.path);
  const path = match ? `/${match[1]}/*${match[3] ?? ''}` : request.path;
  const operation = OPERATIONS[`${request.method} ${path}`];
  if (operation) return operation(desk, request, match?.[2] ?? '');
  throw new ApiError('not_found', `There is no ${request.method} ${request.path}; openapi.yaml lists the operations.`);
}

function searchFlights(desk: Desk, { query }: Request) {
  const fields = new Fields(query, [
    'origin',
    'destination',
    'departureDate',
    'returnDate',
    'cabin',
    'maxPrice',
    'passengers',
  ]);
  const origin = placeOf('origin', fields.text('origin'));
  const destination = placeOf('destination', fields.text('destination'));
  if (origin.city === destination.city) throw invalid('destination: must be another city than the origin.');
  const departureDate = fields.date('departureDate');
  const returnDate = fields.optionalDate('returnDate');
  desk.refusePast('departureDate', departureDate);
  if (returnDate !== undefined && returnDate < departureDate) {
    throw invalid(`returnDate: ${returnDate} is before the departure on ${departureDate}.`);
  }
  const passengers = fields.integer('passengers', 1, LIMITS.passengersMax);
  const cabin = fields.optionalChoice('cabin', CABINS);
  const flown = flightOffers({ origin, destination, departureDate, returnDate, passengers }).filter(
    (offer) => !cabin || offer.cabin === cabin,
  );
  return withinPrice(flown, (offer) => offer.price, fields.optionalNumber('maxPrice'), 'flight');
}

function searchHotels(desk: Desk, { query }: Request) {
  const fields = new Fields(query, ['city', 'checkInDate', 'checkOutDate', 'maxPricePerNight', 'guests']);
  const { city } = placeOf('city', fields.text('city'));
  const checkInDate = fields.date('checkInDate');
  const checkOutDate = fields.date('checkOutDate');
  desk.refusePast('checkInDate', checkInDate);
  const nights = daysBetween(checkInDate, checkOutDate);
  if (nights < 1) throw invalid(`checkOutDate: ${checkOutDate} must be after the check-in on ${checkInDate}.`);
  if (nights > LIMITS.nightsMax) throw invalid(`checkOutDate: a stay has at most ${LIMITS.nightsMax} nights.`);
  const guests = fields.integer('guests', 1, LIMITS.passengersMax);
  const offers = hotelOffers({ city, checkInDate, checkOutDate, guests });
  return withinPrice(offers, (offer) => offer.pricePerNight, fields.optionalNumber('maxPricePerNight'), 'hotel');
}

/** The offers up to a price; where none is left, a message that says what the cheapest one costs. */
function withinPrice<T>(all: T[], priceOf: (offer: T) => number, max: number | undefined, what: string) {
  const offers = all.filter((offer) => max === undefined || priceOf(offer) <= max).slice(0, LIMITS.offersMax);
  if (offers.length > 0) return { offers };
  const cheapest = all[0];
  const message = cheapest
    ? `No ${what} offer costs EUR ${max} or less; the cheapest costs EUR ${priceOf(cheapest)}.`
    : `There is no ${what} offer of this kind on this route.`;
  return { offers, message };
}

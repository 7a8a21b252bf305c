/**
 * Flight offers, made up but the same every time: a function of route, dates and passengers. An offer's id says all
 * that is needed to make it again, so that ids outlive the process. Pure.
 *
 * Fares grow with the distance. A connection is the cheapest; the direct flight costs 12 to 36 % more; business costs
 * over three times as much. Near places have direct flights only, remote ones connections only, at fares that no
 * travel policy allows.
 */
import { instantOf, isDate, withOffset } from '../lib/zone.ts';
import { between, pick } from './chance.ts';
import { distanceKm, findPlace, type Place } from './cities.ts';
import type { Cabin, FlightOffer } from './types.ts';

export type FlightQuery = {
  origin: Place;
  destination: Place;
  departureDate: string;
  returnDate?: string | undefined;
  passengers: number;
};

type Variant = { id: string; cabin: Cabin; direct: boolean; fare: number; refundable: boolean };

const AIRLINES = [
  ['Meridian Air', 'QM'],
  ['Kite Airways', 'QK'],
  ['Tern Atlantic', 'QT'],
  ['Blue Heron', 'QH'],
  ['Aurora Lines', 'QA'],
] as const;

/** `fare`: multiple of the route's cheapest economy fare, before the direct flight's own surcharge. */
const VARIANTS: readonly Variant[] = [
  { id: 'e1', cabin: 'economy', direct: false, fare: 1, refundable: false },
  { id: 'e2', cabin: 'economy', direct: false, fare: 1.09, refundable: true },
  { id: 'e3', cabin: 'economy', direct: true, fare: 1, refundable: false },
  { id: 'e4', cabin: 'economy', direct: true, fare: 1.15, refundable: true },
  { id: 'p1', cabin: 'premium_economy', direct: false, fare: 1.7, refundable: false },
  { id: 'p2', cabin: 'premium_economy', direct: true, fare: 1.75, refundable: true },
  { id: 'b1', cabin: 'business', direct: false, fare: 3.2, refundable: true },
  { id: 'b2', cabin: 'business', direct: true, fare: 3.4, refundable: true },
  { id: 'f1', cabin: 'first', direct: true, fare: 6.5, refundable: true },
];

const DIRECT_ONLY_KM = 1_300;
const LONG_HAUL_KM = 3_500;
const FIRST_CLASS_KM = 6_000;
const DIRECT_KM_MAX = 11_500;
const FARE_BASE = 75;
const FARE_PER_KM = 0.1;
const ONE_WAY_SHARE = 0.58;
const REMOTE_FACTOR = 3.4;
const DEPARTURES = ['06:40', '07:55', '09:20', '10:45', '12:10', '13:35', '15:05', '17:25', '19:50', '21:15'];

/** All offers of a route on these dates, cheapest first. */
export function flightOffers(query: FlightQuery): FlightOffer[] {
  const km = distanceKm(query.origin.city, query.destination.city);
  const remote = query.origin.city.remote || query.destination.city.remote;
  return VARIANTS.filter((variant) => isFlown(variant, km, remote))
    .map((variant) => offerOf(query, variant, km, remote))
    .sort((a, b) => a.price - b.price || (a.offerId < b.offerId ? -1 : 1));
}

/** Every offer names its whole query; what does not parse, or was never on offer, is undefined. */
export function flightOfferById(offerId: string): FlightOffer | undefined {
  const match = /^fl-([A-Z]{3})-([A-Z]{3})-(\d{8})-(\d{8}|oneway)-(\d)-([a-z]\d)$/.exec(offerId);
  if (!match) return undefined;
  const [, from, to, departure, back, passengers] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const [origin, destination] = [findPlace(from), findPlace(to)];
  const departureDate = dashed(departure);
  const returnDate = back === 'oneway' ? undefined : dashed(back);
  if (!origin || !destination || !isDate(departureDate) || (returnDate && !isDate(returnDate))) return undefined;
  const offers = flightOffers({ origin, destination, departureDate, returnDate, passengers: Number(passengers) });
  return offers.find((offer) => offer.offerId === offerId);
}

const dashed = (digits: string) => `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`;
const digits = (date: string) => date.replaceAll('-', '');

function isFlown(variant: Variant, km: number, remote: boolean): boolean {
  if (variant.direct && (remote || km > DIRECT_KM_MAX)) return false;
  if (!variant.direct && km < DIRECT_ONLY_KM && !remote) return false;
  if (variant.cabin === 'first') return km > FIRST_CLASS_KM;
  if (variant.cabin === 'premium_economy') return km > LONG_HAUL_KM && !remote;
  return true;
}

function offerOf(query: FlightQuery, variant: Variant, km: number, remote: boolean): FlightOffer {
  const { origin, destination, departureDate, returnDate, passengers } = query;
  const seed = `${origin.airport}-${destination.airport}-${departureDate}-${returnDate ?? 'oneway'}`;
  const [airline, code] = pick(`${seed}-${variant.id}-airline`, AIRLINES);
  const stops = variant.direct ? 0 : 1;
  const durationMinutes = duration(`${seed}-${variant.id}`, km, stops);
  const leaves = instantOf(departureDate, pick(`${seed}-${variant.id}-time`, DEPARTURES), origin.city.zone);
  const dates = `${digits(departureDate)}-${returnDate ? digits(returnDate) : 'oneway'}`;
  return {
    offerId: `fl-${origin.airport}-${destination.airport}-${dates}-${passengers}-${variant.id}`,
    airline,
    flightNumber: `${code}${Math.floor(between(`${seed}-${variant.id}-number`, 100, 1000))}`,
    origin: origin.airport,
    originCity: origin.city.name,
    destination: destination.airport,
    destinationCity: destination.city.name,
    departureDate,
    departureAt: withOffset(leaves, origin.city.zone),
    arrivalAt: withOffset(leaves + durationMinutes * 60_000, destination.city.zone),
    ...(returnDate && { returnDate }),
    durationMinutes,
    stops,
    cabin: variant.cabin,
    passengers,
    price: fare(seed, variant, km, remote, returnDate !== undefined) * passengers,
    currency: 'EUR',
    refundable: variant.refundable,
  };
}

/** Whole euros for one passenger. */
function fare(seed: string, variant: Variant, km: number, remote: boolean, andBack: boolean): number {
  const season = between(`${seed}-season`, 0.93, 1.08);
  const direct = variant.direct ? between(`${seed}-direct`, 1.12, 1.36) : 1;
  const cheapest = (FARE_BASE + FARE_PER_KM * km) * season * (remote ? REMOTE_FACTOR : 1);
  return Math.round(cheapest * variant.fare * direct * (andBack ? 1 : ONE_WAY_SHARE));
}

function duration(seed: string, km: number, stops: number): number {
  const flown = 35 + (km / 850) * 60;
  const change = stops * between(`${seed}-change`, 95, 260);
  return Math.round((flown + change) / 5) * 5;
}

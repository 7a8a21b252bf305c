/**
 * Hotel offers, made up but the same every time: a function of city, dates and guests. As with flights, an offer's id
 * says all that is needed to make it again. Pure.
 */
import { daysBetween, isDate } from '../lib/zone.ts';
import { between } from './chance.ts';
import { type City, findPlace } from './cities.ts';
import type { HotelOffer } from './types.ts';

export type HotelQuery = { city: City; checkInDate: string; checkOutDate: string; guests: number };

type House = {
  id: string;
  name: string;
  stars: number;
  night: number;
  district: 0 | 1;
  breakfast: boolean;
  refundable: boolean;
};

/** `night`: multiple of what an average night costs in the city. */
const HOUSES: readonly House[] = [
  { id: 'h1', name: 'Lantern Inn', stars: 3, night: 0.72, district: 1, breakfast: false, refundable: false },
  { id: 'h2', name: 'Hotel Compass', stars: 4, night: 0.95, district: 0, breakfast: true, refundable: true },
  { id: 'h3', name: 'Riverside Rooms', stars: 4, night: 1.1, district: 1, breakfast: true, refundable: true },
  { id: 'h4', name: 'The Grand Marlow', stars: 5, night: 2.1, district: 0, breakfast: true, refundable: true },
];

/** What the second and each further guest adds to the price of a night. */
const FURTHER_GUEST = 0.25;

/** All offers of a city for these nights, cheapest first. */
export function hotelOffers(query: HotelQuery): HotelOffer[] {
  return HOUSES.map((house) => offerOf(query, house)).sort((a, b) => a.price - b.price);
}

export function hotelOfferById(hotelOfferId: string): HotelOffer | undefined {
  const match = /^ht-([A-Z]{3})-(\d{8})-(\d{8})-(\d)-h\d$/.exec(hotelOfferId);
  if (!match) return undefined;
  const [, code, arrive, leave, guests] = match as unknown as [string, string, string, string, string];
  const place = findPlace(code);
  const [checkInDate, checkOutDate] = [dashed(arrive), dashed(leave)];
  if (!place || !isDate(checkInDate) || !isDate(checkOutDate)) return undefined;
  const offers = hotelOffers({ city: place.city, checkInDate, checkOutDate, guests: Number(guests) });
  return offers.find((offer) => offer.hotelOfferId === hotelOfferId);
}

const dashed = (digits: string) => `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`;
const digits = (date: string) => date.replaceAll('-', '');

function offerOf({ city, checkInDate, checkOutDate, guests }: HotelQuery, house: House): HotelOffer {
  const seed = `${city.code}-${checkInDate}-${checkOutDate}`;
  const nights = daysBetween(checkInDate, checkOutDate);
  const extra = 1 + FURTHER_GUEST * (guests - 1);
  const pricePerNight = Math.round(city.hotelNight * house.night * between(`${seed}-${house.id}`, 0.94, 1.05) * extra);
  return {
    hotelOfferId: `ht-${city.code}-${digits(checkInDate)}-${digits(checkOutDate)}-${guests}-${house.id}`,
    hotelName: `${house.name} ${city.name}`,
    city: city.name,
    district: city.districts[house.district],
    stars: house.stars,
    checkInDate,
    checkOutDate,
    nights,
    guests,
    pricePerNight,
    price: pricePerNight * nights,
    currency: 'EUR',
    breakfastIncluded: house.breakfast,
    refundable: house.refundable,
  };
}

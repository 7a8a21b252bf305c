/**
 * The catalogue of cities, and how a caller's words become one of them: city names (also in German where they differ),
 * IATA codes of airports and of cities, with or without accents. Pure.
 */
import { ApiError } from './errors.ts';
import { LIMITS } from './limits.ts';

export type City = {
  /** IATA code of the city (`TYO`), the key of the catalogue. */
  code: string;
  name: string;
  /** The airport that flights use when the caller named only the city comes first. */
  airports: string[];
  zone: string;
  latitude: number;
  longitude: number;
  /** What an average hotel night costs, in EUR. */
  hotelNight: number;
  districts: [string, string];
  /** Hard to reach: few flights, no direct ones, and fares far above the usual. */
  remote: boolean;
  aliases: string[];
};

const city = (
  code: string,
  name: string,
  airports: string,
  zone: string,
  [latitude, longitude]: [number, number],
  hotelNight: number,
  districts: [string, string],
  aliases: string[] = [],
  remote = false,
): City => ({
  code,
  name,
  airports: airports.split(' '),
  zone,
  latitude,
  longitude,
  hotelNight,
  districts,
  aliases,
  remote,
});

export const CITIES: readonly City[] = [
  city('BER', 'Berlin', 'BER', 'Europe/Berlin', [52.37, 13.5], 130, ['Mitte', 'Friedrichshain']),
  city('MUC', 'Munich', 'MUC', 'Europe/Berlin', [48.35, 11.79], 150, ['Altstadt', 'Haidhausen'], ['München']),
  city(
    'FRA',
    'Frankfurt',
    'FRA',
    'Europe/Berlin',
    [50.03, 8.57],
    140,
    ['Bahnhofsviertel', 'Sachsenhausen'],
    ['Frankfurt am Main'],
  ),
  city('HAM', 'Hamburg', 'HAM', 'Europe/Berlin', [53.63, 9.99], 135, ['HafenCity', 'St. Georg']),
  city('LON', 'London', 'LHR LGW LCY STN', 'Europe/London', [51.47, -0.45], 205, ['Southwark', 'Paddington']),
  city('PAR', 'Paris', 'CDG ORY', 'Europe/Paris', [49.01, 2.55], 195, ['République', 'Montparnasse']),
  city('AMS', 'Amsterdam', 'AMS', 'Europe/Amsterdam', [52.31, 4.76], 185, ['De Pijp', 'Zuidas']),
  city(
    'BRU',
    'Brussels',
    'BRU',
    'Europe/Brussels',
    [50.9, 4.48],
    145,
    ['European Quarter', 'Sablon'],
    ['Brüssel', 'Bruxelles'],
  ),
  city('ZRH', 'Zurich', 'ZRH', 'Europe/Zurich', [47.46, 8.55], 215, ['Oerlikon', 'Altstadt'], ['Zürich']),
  city('VIE', 'Vienna', 'VIE', 'Europe/Vienna', [48.11, 16.57], 140, ['Innere Stadt', 'Leopoldstadt'], ['Wien']),
  city('MAD', 'Madrid', 'MAD', 'Europe/Madrid', [40.47, -3.56], 140, ['Salamanca', 'Chamartín']),
  city('BCN', 'Barcelona', 'BCN', 'Europe/Madrid', [41.3, 2.08], 150, ['Eixample', 'Poblenou']),
  city(
    'LIS',
    'Lisbon',
    'LIS',
    'Europe/Lisbon',
    [38.78, -9.14],
    135,
    ['Baixa', 'Parque das Nações'],
    ['Lissabon', 'Lisboa'],
  ),
  city('ROM', 'Rome', 'FCO CIA', 'Europe/Rome', [41.8, 12.25], 150, ['Prati', 'Trastevere'], ['Rom', 'Roma']),
  city('CPH', 'Copenhagen', 'CPH', 'Europe/Copenhagen', [55.62, 12.66], 180, ['Vesterbro', 'Ørestad'], ['Kopenhagen']),
  city('STO', 'Stockholm', 'ARN BMA', 'Europe/Stockholm', [59.65, 17.92], 160, ['Norrmalm', 'Södermalm']),
  city('HEL', 'Helsinki', 'HEL', 'Europe/Helsinki', [60.32, 24.96], 145, ['Kamppi', 'Kallio']),
  city('WAW', 'Warsaw', 'WAW', 'Europe/Warsaw', [52.17, 20.97], 105, ['Śródmieście', 'Wola'], ['Warschau']),
  city('ATH', 'Athens', 'ATH', 'Europe/Athens', [37.94, 23.94], 115, ['Plaka', 'Koukaki'], ['Athen']),
  city('IST', 'Istanbul', 'IST SAW', 'Europe/Istanbul', [41.26, 28.74], 110, ['Beyoğlu', 'Levent']),
  city('DXB', 'Dubai', 'DXB', 'Asia/Dubai', [25.25, 55.36], 160, ['Business Bay', 'Deira']),
  city('CAI', 'Cairo', 'CAI', 'Africa/Cairo', [30.12, 31.41], 95, ['Zamalek', 'New Cairo'], ['Kairo']),
  city('NBO', 'Nairobi', 'NBO', 'Africa/Nairobi', [-1.32, 36.93], 115, ['Westlands', 'Upper Hill']),
  city(
    'CPT',
    'Cape Town',
    'CPT',
    'Africa/Johannesburg',
    [-33.97, 18.6],
    120,
    ['Gardens', 'V&A Waterfront'],
    ['Kapstadt'],
  ),
  city(
    'NYC',
    'New York',
    'JFK EWR LGA',
    'America/New_York',
    [40.64, -73.78],
    225,
    ['Midtown', 'Long Island City'],
    ['New York City'],
  ),
  city('SFO', 'San Francisco', 'SFO', 'America/Los_Angeles', [37.62, -122.38], 215, ['SoMa', 'Mission Bay']),
  city('CHI', 'Chicago', 'ORD MDW', 'America/Chicago', [41.97, -87.91], 170, ['The Loop', 'River North']),
  city('YTO', 'Toronto', 'YYZ YTZ', 'America/Toronto', [43.68, -79.63], 165, ['Downtown', 'Liberty Village']),
  city(
    'MEX',
    'Mexico City',
    'MEX',
    'America/Mexico_City',
    [19.44, -99.07],
    110,
    ['Roma Norte', 'Polanco'],
    ['Ciudad de México', 'Mexiko-Stadt'],
  ),
  city('SAO', 'São Paulo', 'GRU CGH', 'America/Sao_Paulo', [-23.44, -46.47], 115, ['Jardins', 'Itaim Bibi']),
  city('TYO', 'Tokyo', 'HND NRT', 'Asia/Tokyo', [35.55, 139.78], 170, ['Shinagawa', 'Ueno'], ['Tokio']),
  city('SEL', 'Seoul', 'ICN GMP', 'Asia/Seoul', [37.46, 126.44], 140, ['Jongno', 'Gangnam']),
  city('SIN', 'Singapore', 'SIN', 'Asia/Singapore', [1.36, 103.99], 190, ['Tanjong Pagar', 'Bugis'], ['Singapur']),
  city(
    'HKG',
    'Hong Kong',
    'HKG',
    'Asia/Hong_Kong',
    [22.31, 113.91],
    175,
    ['Sheung Wan', 'Tsim Sha Tsui'],
    ['Hongkong'],
  ),
  city('BOM', 'Mumbai', 'BOM', 'Asia/Kolkata', [19.09, 72.87], 120, ['Bandra Kurla', 'Lower Parel'], ['Bombay']),
  city('SYD', 'Sydney', 'SYD', 'Australia/Sydney', [-33.94, 151.18], 175, ['The Rocks', 'Surry Hills']),
  city(
    'HLE',
    'Jamestown',
    'HLE',
    'Atlantic/St_Helena',
    [-15.96, -5.65],
    145,
    ['Grand Parade', 'Longwood'],
    ['Saint Helena', 'St Helena', 'St. Helena', 'Sankt Helena'],
    true,
  ),
];

/** A city and the airport meant: the one that was named, else the city's first. */
export type Place = { city: City; airport: string };

const plain = (text: string) =>
  text
    .normalize('NFD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase()
    .replace(/[^a-z]+/g, ' ')
    .trim();

const places = new Map<string, Place>();
for (const c of CITIES) {
  const place = { city: c, airport: c.airports[0]! };
  for (const word of [c.code, c.name, ...c.aliases]) places.set(plain(word), place);
  for (const airport of c.airports) places.set(plain(airport), { city: c, airport });
}

/** `Tokyo`, `HND`, `Tokyo (HND)`, `Tokyo, Japan` and `Tokyo Haneda HND` all lead to the same place. */
export function findPlace(text: string): Place | undefined {
  const whole = places.get(plain(text));
  if (whole) return whole;
  const code = /\b[A-Z]{3}\b/.exec(text)?.[0];
  const byCode = code && places.get(plain(code));
  if (byCode) return byCode;
  return places.get(plain(text.split(/[,(/]/)[0]!));
}

/** @throws ApiError `unknown_city` that lists the nearest names. */
export function placeOf(parameter: string, text: string): Place {
  const place = findPlace(text);
  if (place) return place;
  const near = nearest(text);
  throw new ApiError(
    'unknown_city',
    `${parameter}: no city or airport is known as "${text}". Did you mean ${near.join(', ')}?`,
    near,
  );
}

function nearest(text: string): string[] {
  const wanted = plain(text);
  const distance = (c: City) => Math.min(...[c.name, ...c.aliases, c.code].map((name) => edits(wanted, plain(name))));
  return [...CITIES]
    .map((c) => ({ name: c.name, distance: distance(c) }))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, LIMITS.suggestionsMax)
    .map((c) => c.name);
}

/** Levenshtein distance, one row at a time. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** Kilometres along the great circle (haversine). */
export function distanceKm(a: City, b: City): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const dLat = radians(b.latitude - a.latitude);
  const dLon = radians(b.longitude - a.longitude);
  const h =
    Math.sin(dLat / 2) ** 2 + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * Math.sin(dLon / 2) ** 2;
  return 2 * 6371 * Math.asin(Math.sqrt(h));
}

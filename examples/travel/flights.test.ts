/** The flights server as its callers see it: a real process, real HTTP, a real disk. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FlightsServer, startFlights, temporaryFolder } from './testing.ts';

const TOKYO = { origin: 'Berlin', destination: 'Tokyo', departureDate: '2027-05-12', returnDate: '2027-05-16' };
const KIM = 'Kim Weber';
let folder: ReturnType<typeof temporaryFolder>;
let server: FlightsServer;

beforeEach(async () => {
  folder = temporaryFolder();
  server = await startFlights(folder.path);
});
afterEach(async () => {
  await server.kill();
  folder.remove();
});

async function restart(env: Record<string, string> = {}): Promise<void> {
  await server.kill('SIGKILL');
  server = await startFlights(folder.path, env);
}

async function holdTokyo(): Promise<string> {
  const { data } = await server.get('/flights', TOKYO);
  const held = await server.post('/holds', { offerId: data.offers[0].offerId, passengerName: KIM });
  expect(held.status).toBe(201);
  return held.data.holdId;
}

type Offer = { cabin: string; price: number; stops: number };
const inEconomy = (offers: Offer[]) => offers.filter((o) => o.cabin === 'economy');

describe('search', () => {
  test.each([
    ['2027-05-12', '2027-05-16'],
    ['2027-05-19', '2027-05-23'],
  ])('Berlin–Tokyo %s to %s: a cheap connection, a dearer direct flight, business far above', async (out, back) => {
    const { status, data } = await server.get('/flights', { ...TOKYO, departureDate: out, returnDate: back });
    expect(status).toBe(200);
    const prices = data.offers.map((o: Offer) => o.price);
    expect(prices).toEqual([...prices].sort((a, b) => a - b));
    const within = inEconomy(data.offers).filter((o) => o.price <= 1400);
    expect(within.length).toBeGreaterThanOrEqual(2);
    expect(within[0]).toMatchObject({ stops: 1 });
    const direct = within.find((o) => o.stops === 0)!;
    expect(direct.price, 'the policy wants the connection on these dates').toBeGreaterThan(within[0]!.price * 1.2);
    const business = data.offers.find((o: Offer) => o.cabin === 'business');
    expect(business.price).toBeGreaterThan(2 * 1400);
  });

  test('Saint Helena has nothing within policy', async () => {
    const { data } = await server.get('/flights', { ...TOKYO, destination: 'Saint Helena' });
    expect(data.offers.length).toBeGreaterThan(0);
    expect(Math.min(...data.offers.map((o: Offer) => o.price))).toBeGreaterThan(1200);
    const limited = await server.get('/flights', { ...TOKYO, destination: 'Saint Helena', maxPrice: '1200' });
    expect(limited.data.offers).toEqual([]);
    expect(limited.data.message).toMatch(/No flight offer costs EUR 1200 or less; the cheapest costs EUR \d+/);
  });

  test('every other city of the catalogue has an economy offer within its ceiling', async () => {
    const ceilings: Record<string, number> = {
      London: 450,
      Lisbon: 450,
      Istanbul: 450,
      'New York': 1200,
      'San Francisco': 1200,
      'São Paulo': 1500,
      Nairobi: 1200,
      Dubai: 1200,
      Singapore: 1400,
      Sydney: 1800,
    };
    for (const [destination, ceiling] of Object.entries(ceilings)) {
      const { data } = await server.get('/flights', { ...TOKYO, destination });
      expect(inEconomy(data.offers)[0]!.price, destination).toBeLessThanOrEqual(ceiling);
    }
  });

  test('cities and codes mean the same, and answers do not change', async () => {
    const first = (await server.get('/flights', TOKYO)).data;
    for (const [origin, destination] of [
      ['BER', 'HND'],
      ['berlin', 'Tokio'],
      ['Berlin (BER)', 'Tokyo, Japan'],
      ['BER', 'TYO'],
    ]) {
      expect((await server.get('/flights', { ...TOKYO, origin: origin!, destination: destination! })).data).toEqual(
        first,
      );
    }
    const narita = (await server.get('/flights', { ...TOKYO, destination: 'NRT' })).data;
    expect(narita.offers[0].destination).toBe('NRT');
  });

  test('cabin, price limit, passengers and one-way trips', async () => {
    const business = (await server.get('/flights', { ...TOKYO, cabin: 'business' })).data.offers;
    expect(new Set(business.map((o: Offer) => o.cabin))).toEqual(new Set(['business']));
    const cheap = (await server.get('/flights', { ...TOKYO, maxPrice: '1000' })).data.offers;
    expect(cheap.length).toBeGreaterThan(0);
    expect(cheap.every((o: Offer) => o.price <= 1000)).toBe(true);
    const two = (await server.get('/flights', { ...TOKYO, passengers: '2' })).data.offers;
    expect(two[0].price).toBe(2 * cheap[0].price);
    const { returnDate: _, ...oneWay } = TOKYO;
    const single = (await server.get('/flights', oneWay)).data.offers[0];
    expect(single.returnDate).toBeUndefined();
    expect(single.price).toBeLessThan(cheap[0].price);
  });

  test('hotels', async () => {
    const stay = { city: 'Tokyo', checkInDate: '2027-05-12', checkOutDate: '2027-05-16' };
    const { data } = await server.get('/hotels', stay);
    expect(data.offers[0]).toMatchObject({ nights: 4, city: 'Tokyo' });
    expect(data.offers.filter((o: { pricePerNight: number }) => o.pricePerNight <= 220).length).toBeGreaterThan(1);
    expect((await server.get('/hotels', { ...stay, maxPricePerNight: '20' })).data.message).toContain('cheapest');
  });
});

describe('refusals say what to do', () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ['a missing parameter', { origin: '' }, /origin: must be a text/],
    ['dates in the wrong order', { returnDate: '2027-05-11' }, /returnDate: 2027-05-11 is before the departure/],
    ['a day that does not exist', { departureDate: '2027-02-30' }, /is no date; write YYYY-MM-DD/],
    ['a past date', { departureDate: '2027-01-10', returnDate: '2027-01-12' }, /in the past \(today is 2027-01-11\)/],
    ['the same city twice', { destination: 'BER' }, /another city/],
    ['an unknown cabin', { cabin: 'deck' }, /one of economy, premium_economy, business, first/],
    ['a price that is none', { maxPrice: 'cheap' }, /maxPrice: must be a number above 0/],
    ['too many passengers', { passengers: '10' }, /from 1 to 9/],
    ['an unknown parameter', { class: 'economy' }, /class: not known here. Known are origin, destination/],
  ])('%s', async (_name, change, message) => {
    const { status, data } = await server.get('/flights', { ...TOKYO, ...change });
    expect(status).toBe(400);
    expect(data.error.code).toBe('invalid_argument');
    expect(data.error.message).toMatch(message);
  });

  test('an unknown city lists near names', async () => {
    const { status, data } = await server.get('/flights', { ...TOKYO, destination: 'Tokjo' });
    expect(status).toBe(400);
    expect(data.error).toMatchObject({ code: 'unknown_city', suggestions: expect.arrayContaining(['Tokyo']) });
  });

  test('bodies, ids and paths', async () => {
    expect((await server.post('/holds', '{"offerId":')).data.error.message).toContain('no valid JSON');
    expect((await server.post('/holds', '[]')).data.error.message).toContain('JSON object');
    expect((await server.post('/holds', { offerId: 'x' })).data.error.message).toBe('passengerName: is missing.');
    expect((await server.post('/holds', { offerId: 'x', passengerName: KIM })).status).toBe(404);
    expect((await server.post('/holds', { offerId: 'x', passengerName: 'k'.repeat(70_000) })).status).toBe(413);
    expect((await server.post('/bookings', { holdId: 'hold_x', passengerName: KIM })).data.error.code).toBe(
      'hold_not_found',
    );
    expect((await server.get('/bookings/bk_x')).data.error.code).toBe('booking_not_found');
    expect((await server.get('/bookings/%E0%A4%A')).status).toBe(400);
    expect((await server.get('/flight')).data.error.code).toBe('not_found');
  });
});

describe('booking', () => {
  test('hold, book, read, cancel', async () => {
    const holdId = await holdTokyo();
    const booked = await server.post('/bookings', { holdId, passengerName: KIM }, 'k1');
    expect(booked.status).toBe(201);
    expect(booked.data).toMatchObject({ type: 'flight', status: 'confirmed', currency: 'EUR', passengerName: KIM });
    expect(booked.data.reference).toMatch(/^[A-Z2-9]{6}$/);
    const { bookingId } = booked.data;
    expect((await server.get(`/bookings/${bookingId}`)).data).toEqual(booked.data);

    const cancelled = await server.post(`/bookings/${bookingId}/cancel`);
    expect(cancelled.data).toMatchObject({ status: 'cancelled', refundAmount: booked.data.price });
    expect((await server.post(`/bookings/${bookingId}/cancel`)).data).toEqual(cancelled.data);
    expect((await server.get('/stats')).data).toMatchObject({ bookings: 1, cancellations: 1 });
  });

  test('one key is one effect, and the probe finds it; two keys are two effects', async () => {
    const holdId = await holdTokyo();
    const request = { holdId, passengerName: KIM };
    const first = await server.post('/bookings', request, 'k1');
    const again = await Promise.all([1, 2, 3].map(() => server.post('/bookings', request, 'k1')));
    for (const reply of again) expect(reply.data).toEqual(first.data);
    expect((await server.get('/bookings', { idempotencyKey: 'k1' })).data).toEqual({
      bookings: [first.data],
      booking: first.data,
    });
    expect((await server.get('/bookings', { idempotencyKey: 'k2' })).data).toEqual({ bookings: [] });

    const other = await server.post('/bookings', request, 'k2');
    expect(other.data.bookingId).not.toBe(first.data.bookingId);
    expect((await server.get('/bookings')).data.bookings).toEqual([other.data, first.data]);
    expect((await server.get('/stats')).data).toMatchObject({ holds: 1, bookings: 2, repeatsAnswered: 3 });
  });

  test('the same key with another request is refused', async () => {
    const holdId = await holdTokyo();
    await server.post('/bookings', { holdId, passengerName: KIM }, 'k1');
    const refused = await server.post('/bookings', { holdId, passengerName: 'Someone Else' }, 'k1');
    expect(refused.status).toBe(422);
    expect(refused.data.error.code).toBe('idempotency_key_reused');
  });

  test('holds are kept under their key too, and expire', async () => {
    const { data } = await server.get('/flights', TOKYO);
    const request = { offerId: data.offers[0].offerId, passengerName: KIM };
    const first = await server.post('/holds', request, 'h1');
    expect((await server.post('/holds', request, 'h1')).data).toEqual(first.data);
    expect(Date.parse(first.data.expiresAt) - Date.parse(first.data.heldAt)).toBe(30 * 60_000);

    await restart({ FLIGHTS_NOW: '2027-01-11T08:31:00Z' });
    const late = await server.post('/bookings', { holdId: first.data.holdId, passengerName: KIM }, 'k1');
    expect(late.status).toBe(410);
    expect(late.data.error.message).toContain(`Hold the offer ${request.offerId} again`);
    expect((await server.get('/stats')).data.bookings).toBe(0);
  });

  test('cancelling is free for 24 hours; then only refundable fares are cancelled', async () => {
    const { offers } = (await server.get('/flights', TOKYO)).data;
    const book = async (offerId: string) => {
      const hold = await server.post('/holds', { offerId, passengerName: KIM });
      return (await server.post('/bookings', { holdId: hold.data.holdId, passengerName: KIM })).data.bookingId;
    };
    const fixed = await book(offers.find((o: { refundable: boolean }) => !o.refundable).offerId);
    const refundable = await book(offers.find((o: { refundable: boolean }) => o.refundable).offerId);
    await restart({ FLIGHTS_NOW: '2027-01-12T09:00:00Z' });
    const refused = await server.post(`/bookings/${fixed}/cancel`);
    expect(refused.status).toBe(409);
    expect(refused.data.error.code).toBe('cancellation_not_free');
    expect((await server.get(`/bookings/${fixed}`)).data.status).toBe('confirmed');
    expect((await server.post(`/bookings/${refundable}/cancel`)).data.status).toBe('cancelled');
  });

  test('a hotel', async () => {
    const stay = { city: 'Tokyo', checkInDate: '2027-05-12', checkOutDate: '2027-05-16' };
    const offer = (await server.get('/hotels', stay)).data.offers[0];
    const request = { hotelOfferId: offer.hotelOfferId, guestName: KIM };
    const booked = await server.post('/hotel-bookings', request, 'k1');
    expect(booked.data).toMatchObject({ type: 'hotel', price: offer.price, hotel: offer });
    expect((await server.post('/hotel-bookings', request, 'k1')).data).toEqual(booked.data);
    expect((await server.get('/bookings', { idempotencyKey: 'k1' })).data.booking).toEqual(booked.data);
  });
});

describe('crashes', () => {
  test('kill -9 loses nothing that was answered: holds, bookings, keys and cancellations', async () => {
    const holdId = await holdTokyo();
    const request = { holdId, passengerName: KIM };
    const kept = (await server.post('/bookings', request, 'k1')).data;
    const dropped = (await server.post('/bookings', request, 'k2')).data;
    const cancelled = (await server.post(`/bookings/${dropped.bookingId}/cancel`)).data;
    await restart();
    expect((await server.get('/bookings')).data.bookings).toEqual([cancelled, kept]);
    expect((await server.post('/bookings', request, 'k1')).data).toEqual(kept);
    expect((await server.post('/bookings', request, 'k3')).status).toBe(201);
  });

  test('killed between the effect and its answer: the probe finds it, and the same key does not do it again', async () => {
    const holdId = await holdTokyo();
    await restart({ FLIGHTS_DELAY_MS: '60000' });
    const request = { holdId, passengerName: KIM };
    const lost = server.post('/bookings', request, 'k1').catch(() => 'no answer');
    const file = join(folder.path, 'bookings.jsonl');
    await expect.poll(() => readFileSync(file, 'utf8').includes('"booked"'), { timeout: 10_000 }).toBe(true);
    await restart();
    expect(await lost).toBe('no answer');
    const { booking } = (await server.get('/bookings', { idempotencyKey: 'k1' })).data;
    expect(booking).toMatchObject({ status: 'confirmed', passengerName: KIM });
    expect((await server.post('/bookings', request, 'k1')).data).toEqual(booking);
    expect((await server.get('/stats')).data.bookings).toBe(1);
  });

  test('a last line that was cut off is dropped; the next one is whole', async () => {
    const holdId = await holdTokyo();
    const booking = (await server.post('/bookings', { holdId, passengerName: KIM }, 'k1')).data;
    await server.kill();
    appendFileSync(join(folder.path, 'bookings.jsonl'), '{"type":"booked","booking":{"bookingId":"bk_ha');
    await restart();
    expect((await server.get('/bookings')).data.bookings).toEqual([booking]);
    await server.post('/bookings', { holdId, passengerName: KIM }, 'k2');
    await restart();
    expect((await server.get('/bookings')).data.bookings).toHaveLength(2);
  });

  test('a file that is damaged in the middle stops the start', async () => {
    await server.kill();
    writeFileSync(join(folder.path, 'bookings.jsonl'), '{"type":\n{"type":"held"}\n');
    await expect(startFlights(folder.path)).rejects.toThrow(/line 1 is damaged/);
  });

  test('asked to stop, it answers what is under way and ends', async () => {
    await restart({ FLIGHTS_DELAY_MS: '300' });
    const answer = server.get('/flights', TOKYO);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await server.kill('SIGTERM');
    expect((await answer).status).toBe(200);
  });

  test('with FLIGHTS_IGNORE_KEYS a repetition is a second effect, so that a caller who repeats is found out', async () => {
    const holdId = await holdTokyo();
    await restart({ FLIGHTS_IGNORE_KEYS: '1' });
    const request = { holdId, passengerName: KIM };
    const first = (await server.post('/bookings', request, 'k1')).data;
    expect((await server.post('/bookings', request, 'k1')).data.bookingId).not.toBe(first.bookingId);
    expect((await server.get('/bookings', { idempotencyKey: 'k1' })).data).toMatchObject({
      bookings: [{}, {}],
      booking: { bookingId: first.bookingId },
    });
  });
});

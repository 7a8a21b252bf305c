/**
 * The booking desk: holds, bookings and cancellations over the store.
 *
 * Invariants: nothing is answered before it is stored. The same idempotency key with the same request is one effect and
 * one answer, for ever; with another request it is refused. Two keys are two effects, even for the same hold: this desk
 * does not guard its callers against booking twice, so that whoever calls it twice can be seen to have done so.
 * The clock comes from outside.
 */
import { createHash, randomUUID } from 'node:crypto';
import { ApiError } from './errors.ts';
import { flightOfferById } from './flight-offers.ts';
import { hotelOfferById } from './hotel-offers.ts';
import { LIMITS } from './limits.ts';
import type { Store } from './store.ts';
import type { Booking, FlightBooking, Hold, HotelBooking, KeyUse, StoredEvent } from './types.ts';

export type DeskOptions = {
  nowMs: () => number;
  holdMinutes: number;
  /** Testing: act on every request as if it had no key, so that a caller's repetition really is a second effect. */
  ignoreKeys: boolean;
};

export type BookingFilter = {
  idempotencyKey?: string | undefined;
  reference?: string | undefined;
  status?: string | undefined;
};

export class Desk {
  private readonly store: Store;
  private readonly options: DeskOptions;
  private readonly holds = new Map<string, Hold>();
  private readonly bookings = new Map<string, Booking>();
  /** What each key did: the request it came with and the hold or booking it made (several only where keys are ignored). */
  private readonly keys = new Map<string, { request: string; ids: string[] }>();
  private repeatsAnswered = 0;

  constructor(store: Store, options: DeskOptions) {
    this.store = store;
    this.options = options;
    for (const event of store.events) this.apply(event);
  }

  hold(offerId: string, passengerName: string, key?: string): Hold {
    const use = this.useOf(key, ['hold', offerId, passengerName]);
    const earlier = this.earlier(use, this.holds);
    if (earlier) return earlier;
    const offer = flightOfferById(offerId);
    if (!offer) throw unknownOffer('offerId', offerId, 'searchFlights');
    this.refusePast('departureDate', offer.departureDate);
    const now = this.options.nowMs();
    const hold: Hold = {
      holdId: `hold_${shortId()}`,
      offer,
      passengerName,
      heldAt: iso(now),
      expiresAt: iso(now + this.options.holdMinutes * 60_000),
    };
    this.record({ type: 'held', hold, ...(use && { use }) });
    return hold;
  }

  bookFlight(holdId: string, passengerName: string, key?: string): Booking {
    const use = this.useOf(key, ['bookFlight', holdId, passengerName]);
    const earlier = this.earlier(use, this.bookings);
    if (earlier) return earlier;
    const hold = this.holds.get(holdId);
    if (!hold) throw new ApiError('hold_not_found', `There is no hold "${holdId}". Hold an offer first (holdFlight).`);
    if (Date.parse(hold.expiresAt) <= this.options.nowMs()) throw expired(hold);
    const { price } = hold.offer;
    const booking: FlightBooking = { type: 'flight', ...this.newBooking(price), passengerName, flight: hold.offer };
    this.record({ type: 'booked', booking, ...(use && { use }) });
    return booking;
  }

  bookHotel(hotelOfferId: string, guestName: string, key?: string): Booking {
    const use = this.useOf(key, ['bookHotel', hotelOfferId, guestName]);
    const earlier = this.earlier(use, this.bookings);
    if (earlier) return earlier;
    const hotel = hotelOfferById(hotelOfferId);
    if (!hotel) throw unknownOffer('hotelOfferId', hotelOfferId, 'searchHotels');
    this.refusePast('checkInDate', hotel.checkInDate);
    const booking: HotelBooking = { type: 'hotel', ...this.newBooking(hotel.price), guestName, hotel };
    this.record({ type: 'booked', booking, ...(use && { use }) });
    return booking;
  }

  /** Free of charge or not at all; cancelling again gives the same answer. */
  cancel(bookingId: string): Booking {
    const booking = this.booking(bookingId);
    if (booking.status === 'cancelled') return booking;
    const now = this.options.nowMs();
    const refundable = booking.type === 'flight' ? booking.flight.refundable : booking.hotel.refundable;
    if (!refundable && now > Date.parse(booking.freeCancellationUntil)) {
      throw new ApiError(
        'cancellation_not_free',
        `Booking ${booking.reference} could be cancelled free of charge until ${booking.freeCancellationUntil} and its fare is not refundable. Nothing was cancelled; ask the travel desk.`,
      );
    }
    this.record({ type: 'cancelled', bookingId, cancelledAt: iso(now), refundAmount: booking.price });
    return this.booking(bookingId);
  }

  booking(bookingId: string): Booking {
    const booking = this.bookings.get(bookingId);
    if (booking) return booking;
    throw new ApiError('booking_not_found', `There is no booking "${bookingId}". findBookings lists those there are.`);
  }

  /** Newest first. `booking` is what the given key booked. */
  find(filter: BookingFilter): { bookings: Booking[]; booking?: Booking } {
    const bookings = this.madeBy(filter.idempotencyKey)
      .filter((b) => !filter.reference || b.reference === filter.reference.toUpperCase())
      .filter((b) => !filter.status || b.status === filter.status)
      .reverse()
      .slice(0, LIMITS.bookingsListedMax);
    const booking = filter.idempotencyKey ? bookings.at(-1) : undefined;
    return { bookings, ...(booking && { booking }) };
  }

  /** Bookings that a key made, or all where none is given; oldest first. */
  private madeBy(key: string | undefined): Booking[] {
    if (!key) return [...this.bookings.values()];
    const ids = this.keys.get(key)?.ids ?? [];
    return ids.flatMap((id) => this.bookings.get(id) ?? []);
  }

  /** How often each effect was really done, from the first start on, and how many repetitions were only answered. */
  effects() {
    const cancelled = [...this.bookings.values()].filter((b) => b.status === 'cancelled').length;
    return {
      holds: this.holds.size,
      bookings: this.bookings.size,
      cancellations: cancelled,
      repeatsAnswered: this.repeatsAnswered,
    };
  }

  today(): string {
    return iso(this.options.nowMs()).slice(0, 10);
  }

  refusePast(parameter: string, date: string): void {
    const today = this.today();
    if (date >= today) return;
    throw new ApiError(
      'invalid_argument',
      `${parameter}: ${date} is in the past (today is ${today}). Give a later date.`,
    );
  }

  private newBooking(price: number) {
    const bookingId = `bk_${shortId()}`;
    const now = this.options.nowMs();
    return {
      bookingId,
      reference: referenceOf(bookingId),
      status: 'confirmed' as const,
      price,
      currency: 'EUR' as const,
      bookedAt: iso(now),
      freeCancellationUntil: iso(now + LIMITS.freeCancellationHours * 3_600_000),
    };
  }

  private useOf(key: string | undefined, request: string[]): KeyUse | undefined {
    return key === undefined ? undefined : { key, request: JSON.stringify(request) };
  }

  private earlier<T>(use: KeyUse | undefined, made: Map<string, T>): T | undefined {
    const known = use && this.keys.get(use.key);
    if (!known || this.options.ignoreKeys) return undefined;
    if (known.request !== use.request) {
      throw new ApiError(
        'idempotency_key_reused',
        'This Idempotency-Key was used for another request. Send that request again unchanged, or use a new key.',
      );
    }
    this.repeatsAnswered++;
    return made.get(known.ids[0]!);
  }

  private record(event: StoredEvent): void {
    this.store.append(event);
    this.apply(event);
  }

  private apply(event: StoredEvent): void {
    switch (event.type) {
      case 'held':
        this.holds.set(event.hold.holdId, event.hold);
        this.remember(event.use, event.hold.holdId);
        return;
      case 'booked':
        this.bookings.set(event.booking.bookingId, event.booking);
        this.remember(event.use, event.booking.bookingId);
        return;
      case 'cancelled': {
        const { bookingId, cancelledAt, refundAmount } = event;
        this.bookings.set(bookingId, { ...this.booking(bookingId), status: 'cancelled', cancelledAt, refundAmount });
        return;
      }
      default:
        throw new Error(`unknown event in the store: ${JSON.stringify(event satisfies never)}`);
    }
  }

  private remember(use: KeyUse | undefined, id: string): void {
    if (!use) return;
    const ids = this.keys.get(use.key)?.ids ?? [];
    this.keys.set(use.key, { request: use.request, ids: [...ids, id] });
  }
}

const iso = (ms: number) => new Date(ms).toISOString();
const shortId = () => randomUUID().replaceAll('-', '').slice(0, 20);

function unknownOffer(parameter: string, id: string, search: string): ApiError {
  return new ApiError(
    'offer_not_found',
    `${parameter}: there is no offer "${id}". Use an id from ${search}, unchanged.`,
  );
}

function expired(hold: Hold): ApiError {
  return new ApiError(
    'hold_expired',
    `The hold ${hold.holdId} expired at ${hold.expiresAt} and nothing was booked. Hold the offer ${hold.offer.offerId} again (holdFlight), then book with the new holdId.`,
  );
}

/** Six characters as on a ticket, without those that are mistaken for each other. */
function referenceOf(bookingId: string): string {
  const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';
  const bytes = createHash('sha256').update(bookingId).digest();
  return [...bytes.subarray(0, 6)].map((byte) => letters[byte % letters.length]).join('');
}

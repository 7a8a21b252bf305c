/** The document and the server say the same: every operation is called, and every answer fits its schema. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FlightsServer, type Reply, readYaml, startFlights, temporaryFolder } from './testing.ts';

type Operation = { operationId: string; responses: Record<string, { $ref?: string }> };
type Document = { paths: Record<string, Record<string, Operation>>; components: Record<string, unknown> };

const document = readYaml<Document>('servers/flights/openapi.yaml');
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
);
const folder = temporaryFolder();
const answered = new Set<string>();
let server: FlightsServer;
let ajv: Ajv2020;

beforeAll(async () => {
  ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true });
  (addFormats as unknown as (a: Ajv2020) => void)(ajv);
  // The document is not a schema itself: its keywords are not ajv's, its parts are.
  ajv.addVocabulary(['openapi', 'info', 'servers', 'paths', 'components']);
  ajv.addSchema({ ...document, $id: 'doc' }, 'doc');
  server = await startFlights(folder.path);
});
afterAll(async () => {
  await server.kill();
  folder.remove();
});

const escaped = (part: string) => part.replaceAll('~', '~0').replaceAll('/', '~1');

/** The validator for what an operation answers with a status. */
function schemaOf(operationId: string, status: number): ValidateFunction {
  const found = operations.find(({ operation }) => operation.operationId === operationId)!;
  const response = found.operation.responses[String(status)];
  expect(response, `${operationId} documents ${status}`).toBeDefined();
  const at = response!.$ref ?? `#/paths/${escaped(found.path)}/${found.method}/responses/${status}`;
  return ajv.compile({ $ref: `doc${encodeURI(at)}/content/application~1json/schema` });
}

function check(operationId: string, status: number, reply: Reply): Reply['data'] {
  expect(reply.status, JSON.stringify(reply.data)).toBe(status);
  const validate = schemaOf(operationId, status);
  expect(validate(reply.data), JSON.stringify(validate.errors)).toBe(true);
  answered.add(`${operationId} ${status}`);
  return reply.data;
}

test('every answer of every operation fits its schema, refusals included', async () => {
  const trip = { origin: 'BER', destination: 'HND', departureDate: '2027-05-12', returnDate: '2027-05-16' };
  const stay = { city: 'Tokyo', checkInDate: '2027-05-12', checkOutDate: '2027-05-16' };
  const passengerName = 'Kim Weber';
  const guestName = passengerName;

  const { offers } = check('searchFlights', 200, await server.get('/flights', trip));
  check('searchFlights', 200, await server.get('/flights', { ...trip, maxPrice: '1' }));
  check('searchFlights', 400, await server.get('/flights', { ...trip, destination: 'Nowhere' }));
  const hotels = check('searchHotels', 200, await server.get('/hotels', stay)).offers;
  check('searchHotels', 400, await server.get('/hotels', { ...stay, guests: '0' }));

  const { offerId } = offers[0];
  const { holdId } = check('holdFlight', 201, await server.post('/holds', { offerId, passengerName }, 'h'));
  check('holdFlight', 400, await server.post('/holds', { offerId }));
  check('holdFlight', 404, await server.post('/holds', { offerId: 'none', passengerName }));
  check('holdFlight', 422, await server.post('/holds', { offerId, passengerName: 'Other' }, 'h'));

  const { bookingId } = check('bookFlight', 201, await server.post('/bookings', { holdId, passengerName }, 'b'));
  check('bookFlight', 400, await server.post('/bookings', { holdId, passengerName, seat: '1A' }));
  check('bookFlight', 404, await server.post('/bookings', { holdId: 'none', passengerName }));
  check('bookFlight', 422, await server.post('/bookings', { holdId, passengerName: 'Other' }, 'b'));
  const { hotelOfferId } = hotels[0];
  check('bookHotel', 201, await server.post('/hotel-bookings', { hotelOfferId, guestName }, 'r'));
  check('bookHotel', 400, await server.post('/hotel-bookings', { hotelOfferId }));
  check('bookHotel', 404, await server.post('/hotel-bookings', { hotelOfferId: 'none', guestName }));
  check('bookHotel', 422, await server.post('/hotel-bookings', { hotelOfferId, guestName: 'Other' }, 'r'));

  check('findBookings', 200, await server.get('/bookings'));
  check('findBookings', 200, await server.get('/bookings', { idempotencyKey: 'b' }));
  check('findBookings', 400, await server.get('/bookings', { status: 'lost' }));
  check('getBooking', 200, await server.get(`/bookings/${bookingId}`));
  check('getBooking', 404, await server.get('/bookings/none'));
  check('cancelBooking', 200, await server.post(`/bookings/${bookingId}/cancel`));
  check('cancelBooking', 404, await server.post('/bookings/none/cancel'));

  await laterOn(holdId, hotelOfferId);
  const documented = operations.flatMap(({ operation }) =>
    Object.keys(operation.responses).map((status) => `${operation.operationId} ${status}`),
  );
  expect([...answered].sort()).toEqual(documented.sort());
});

/** A day later the hold has expired, and what is not refundable is no longer cancelled free of charge. */
async function laterOn(holdId: string, hotelOfferId: string): Promise<void> {
  const passengerName = 'Kim Weber';
  const booked = await server.post('/hotel-bookings', { hotelOfferId, guestName: passengerName }, 'late');
  expect(booked.data.hotel.refundable).toBe(false);
  await server.kill();
  server = await startFlights(folder.path, { FLIGHTS_NOW: '2027-01-12T10:00:00Z' });
  check('bookFlight', 410, await server.post('/bookings', { holdId, passengerName }));
  check('cancelBooking', 409, await server.post(`/bookings/${booked.data.bookingId}/cancel`));
}

test('every parameter and every field is described, for models that know nothing but the schema', () => {
  const bare: string[] = [];
  const visit = (node: unknown, path: string): void => {
    if (node === null || typeof node !== 'object') return;
    for (const [key, value] of Object.entries(node)) {
      if (key === 'properties') bare.push(...undescribed(value, path));
      visit(value, `${path}/${key}`);
    }
  };
  visit(document.components, '');
  visit(document.paths, '');
  const parameters = JSON.stringify(document.paths).match(
    /"in":"(query|path)"(?!,"(required":true,"description|description))/g,
  );
  expect(parameters).toBeNull();
  expect(bare.filter((path) => !/\/error$/.test(path))).toEqual([]);
});

function undescribed(properties: object, path: string): string[] {
  return Object.entries(properties)
    .filter(([, schema]) => !schema.description && !schema.$ref)
    .map(([name]) => `${path}/${name}`);
}

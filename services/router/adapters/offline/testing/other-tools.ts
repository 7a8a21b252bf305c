/** Toolsets for tests that share nothing with travel: a shop, operations, contacts and mail, everyday utilities, an HR system without `returns`. */
import { Failure, type FakeTool, fake, object } from './driver.ts';

const text = (description?: string) => ({ type: 'string', ...(description ? { description } : {}) });
const whole = (description?: string) => ({ type: 'integer', ...(description ? { description } : {}) });
const list = (items: unknown) => ({ type: 'array', items });

export function shopTools(world: { stock?: number } = {}): FakeTool[] {
  const products = [
    { id: 'p_10', name: 'SoundMax noise-cancelling headphones', price: 89.9, currency: 'EUR', rating: 4.2 },
    { id: 'p_11', name: 'Studio headphones', price: 49, currency: 'EUR', rating: 3.9 },
    { id: 'p_12', name: 'QuietOne noise-cancelling headphones', price: 219, currency: 'EUR', rating: 4.8 },
  ];
  return [
    fake(
      'search_products',
      'Search the product catalogue.',
      object({ query: text('Search words'), maxPrice: { type: 'number' } }, ['query']),
      (args) => ({ products: products.filter((one) => !args.maxPrice || one.price <= args.maxPrice) }),
      {
        returns: object({
          products: list(
            object({
              id: text(),
              name: text(),
              price: { type: 'number' },
              currency: text(),
              rating: { type: 'number' },
            }),
          ),
        }),
      },
    ),
    fake(
      'check_stock',
      'Check how many units of a product are in stock.',
      object({ productId: text() }, ['productId']),
      (args) => ({ productId: args.productId, inStock: (world.stock ?? 12) > 0, quantity: world.stock ?? 12 }),
      { returns: object({ productId: text(), inStock: { type: 'boolean' }, quantity: whole() }) },
    ),
    fake(
      'find_customer',
      'Look up a customer by e-mail address.',
      object({ email: { type: 'string', format: 'email' } }, ['email']),
      (args) =>
        args.email === 'anna@example.com'
          ? { customer: { id: 'c_7', name: 'Anna Kim', email: args.email } }
          : { customer: null },
      { returns: object({ customer: object({ id: text(), name: text(), email: text() }) }) },
    ),
    fake(
      'create_order',
      'Place an order for a customer.',
      object({ customerId: text(), productId: text(), quantity: { type: 'integer', minimum: 1, default: 1 } }, [
        'customerId',
        'productId',
      ]),
      (args) => ({ orderId: 'ord_991', total: 89.9 * (args.quantity ?? 1), currency: 'EUR', status: 'placed' }),
      { effect: 'irreversible', returns: object({ orderId: text(), total: { type: 'number' }, status: text() }) },
    ),
    fake(
      'get_order',
      'Get one order.',
      object({ orderId: text() }, ['orderId']),
      (args) => ({ id: args.orderId, status: 'shipped', carrier: 'DHL', eta: '2026-11-25' }),
      { returns: object({ id: text(), status: text(), carrier: text(), eta: text() }) },
    ),
    fake(
      'list_orders',
      "List a customer's orders.",
      object({ customerId: text() }, ['customerId']),
      () => ({
        orders: [
          { id: 'ord_1', status: 'delivered', total: 20 },
          { id: 'ord_2', status: 'shipped', total: 35 },
        ],
      }),
      { returns: object({ orders: list(object({ id: text(), status: text(), total: { type: 'number' } })) }) },
    ),
    fake(
      'cancel_order',
      'Cancel an order.',
      object({ orderId: text(), reason: text() }, ['orderId']),
      (args) => ({ orderId: args.orderId, status: 'cancelled' }),
      { effect: 'irreversible', returns: object({ orderId: text(), status: text() }) },
    ),
  ];
}

export function operationsTools(): FakeTool[] {
  return [
    fake(
      'listServices',
      'List the deployed services.',
      object({ environment: { type: 'string', enum: ['production', 'staging'] } }),
      () => [
        { name: 'checkout', status: 'degraded', replicas: 3 },
        { name: 'search', status: 'healthy', replicas: 5 },
      ],
    ),
    fake(
      'getMetrics',
      'Get a metric of a service, such as CPU, memory, latency or error rate.',
      object(
        {
          service: text('Service name'),
          metric: { type: 'string', enum: ['cpu', 'memory', 'latency', 'error_rate'] },
          since: { type: 'string', format: 'date-time' },
        },
        ['service', 'metric'],
      ),
      (args) => ({ service: args.service, metric: args.metric, value: 0.83, unit: 'cores' }),
    ),
    fake(
      'restartDeployment',
      'Restart all pods of a deployment.',
      object(
        {
          name: text('Deployment name'),
          environment: { type: 'string', enum: ['production', 'staging'], default: 'production' },
        },
        ['name'],
      ),
      (args) => ({ name: args.name, restarted: true, revision: 41 }),
      { effect: 'keyed' },
    ),
    fake(
      'scaleDeployment',
      'Scale a deployment to a number of replicas.',
      object({ name: text(), replicas: { type: 'integer', minimum: 0, maximum: 50 } }, ['name', 'replicas']),
      (args) =>
        args.replicas > 20
          ? new Failure('quota exceeded: at most 20 replicas')
          : { name: args.name, replicas: args.replicas },
      { effect: 'keyed' },
    ),
    fake(
      'createIncident',
      'Open an incident.',
      object(
        { title: text(), severity: { type: 'string', enum: ['low', 'medium', 'high', 'critical'] }, service: text() },
        ['title', 'severity'],
      ),
      (args) => ({ incidentId: 'INC-77', title: args.title, severity: args.severity, status: 'open' }),
      { effect: 'irreversible' },
    ),
  ];
}

export function officeTools(world: { busy?: unknown[]; contacts?: unknown[] } = {}): FakeTool[] {
  const contacts = world.contacts ?? [
    { id: 'ct_1', name: 'Maria Lopez', email: 'maria.lopez@acme.example' },
    { id: 'ct_2', name: 'Bob Stone', email: 'bob@acme.example' },
  ];
  return [
    fake(
      'find_contact',
      'Find people in the address book by name.',
      object({ name: text('Full or partial name') }, ['name']),
      (args) => ({
        contacts: (contacts as { name: string }[]).filter((one) =>
          one.name.toLowerCase().includes(String(args.name).toLowerCase()),
        ),
      }),
      {
        returns: object({
          contacts: list(object({ id: text(), name: text(), email: { type: 'string', format: 'email' } })),
        }),
      },
    ),
    fake(
      'send_email',
      'Send an e-mail.',
      object({ to: { type: 'array', items: { type: 'string', format: 'email' } }, subject: text(), body: text() }, [
        'to',
        'subject',
        'body',
      ]),
      () => ({ messageId: 'msg_5', status: 'sent' }),
      { effect: 'irreversible', returns: object({ messageId: text(), status: text() }) },
    ),
    fake(
      'get_free_busy',
      'Get busy times of people between two moments.',
      object(
        {
          start: { type: 'string', format: 'date-time' },
          end: { type: 'string', format: 'date-time' },
          emails: list({ type: 'string', format: 'email' }),
        },
        ['start', 'end'],
      ),
      () => ({ busy: world.busy ?? [] }),
      { returns: object({ busy: list(object({ title: text(), start: text(), end: text() })) }) },
    ),
    fake(
      'create_event',
      'Create a calendar event and invite people.',
      object(
        {
          title: text(),
          start: { type: 'string', format: 'date-time' },
          end: { type: 'string', format: 'date-time' },
          attendees: list({ type: 'string', format: 'email' }),
          location: text(),
        },
        ['title', 'start', 'end'],
      ),
      (args) => ({ eventId: 'ev_3', title: args.title, start: args.start, end: args.end }),
      { effect: 'probeable', returns: object({ eventId: text() }) },
    ),
    fake(
      'update_event',
      "Change an event's title or times.",
      object(
        {
          eventId: text(),
          title: text(),
          start: { type: 'string', format: 'date-time' },
          end: { type: 'string', format: 'date-time' },
        },
        ['eventId'],
      ),
      (args) => ({ ...args, updated: true }),
      { effect: 'probeable' },
    ),
    fake(
      'delete_event',
      'Delete an event.',
      object({ eventId: text() }, ['eventId']),
      (args) => ({ eventId: args.eventId, deleted: true }),
      { effect: 'irreversible' },
    ),
  ];
}

export function utilityTools(): FakeTool[] {
  return [
    fake(
      'get_weather',
      'Current weather or forecast for a city.',
      object(
        {
          city: text(),
          date: { type: 'string', format: 'date' },
          units: { type: 'string', enum: ['celsius', 'fahrenheit'] },
        },
        ['city'],
      ),
      (args) => ({ city: args.city, temperature: 9, condition: 'rain' }),
    ),
    fake(
      'convert_currency',
      'Convert an amount of money from one currency to another.',
      object({ amount: { type: 'number' }, from: text('ISO 4217 code'), to: text('ISO 4217 code') }, [
        'amount',
        'from',
        'to',
      ]),
      (args) => ({ amount: args.amount, from: args.from, to: args.to, result: 37_500 }),
    ),
    fake(
      'convert_units',
      'Convert a quantity between units of measure.',
      object(
        {
          value: { type: 'number' },
          from_unit: { type: 'string', enum: ['km', 'mile', 'kg', 'pound', 'celsius', 'fahrenheit'] },
          to_unit: { type: 'string', enum: ['km', 'mile', 'kg', 'pound', 'celsius', 'fahrenheit'] },
        },
        ['value', 'from_unit', 'to_unit'],
      ),
      (args) => ({ value: args.value * 0.621, unit: args.to_unit }),
    ),
    fake('calculator', 'Evaluate an arithmetic expression.', object({ expression: text() }, ['expression']), () => 12),
    fake(
      'current_time',
      'Current time in a time zone.',
      object({ timezone: text('IANA time zone') }, ['timezone']),
      (args) => `It is 23:00 in ${args.timezone}.`,
    ),
  ];
}

/** Terse, OpenAPI-like, without `returns`. */
export function staffTools(): FakeTool[] {
  return [
    fake('employees_list_v1', 'List employees', object({ q: text(), department: text() }), (args) => ({
      items: [
        { id: 41, fullName: 'Julia Brandt', department: 'Sales' },
        { id: 42, fullName: 'Omar Haddad', department: 'IT' },
      ].filter((one) => !args.q || one.fullName.toLowerCase().includes(String(args.q).toLowerCase())),
    })),
    fake('employees_get_v1', 'Get employee', object({ employeeId: whole() }, ['employeeId']), (args) => ({
      id: args.employeeId,
      fullName: 'Julia Brandt',
      manager: 'Omar Haddad',
      startDate: '2021-03-01',
    })),
    fake('leave_balance_get_v1', 'Get leave balance', object({ employeeId: whole() }, ['employeeId']), (args) => ({
      employeeId: args.employeeId,
      daysRemaining: 11,
    })),
    fake(
      'leave_requests_post_v1',
      'Create leave request',
      object(
        {
          employeeId: whole(),
          from: { type: 'string', format: 'date' },
          to: { type: 'string', format: 'date' },
          kind: { type: 'string', enum: ['vacation', 'sick', 'unpaid'] },
        },
        ['employeeId', 'from', 'to', 'kind'],
      ),
      (args) => ({ id: 900, ...args, state: 'pending' }),
      { effect: 'irreversible' },
    ),
    fake('invoices_list', 'invoices', object({ status: { type: 'string', enum: ['open', 'paid', 'overdue'] } }), () => [
      { number: 'INV-2031', amount: 410, currency: 'EUR', status: 'open', vendor: 'Paperworks' },
      { number: 'INV-2040', amount: 95, currency: 'EUR', status: 'open', vendor: 'CleanCo' },
    ]),
    fake(
      'invoices_pay',
      'pay invoice',
      object({ invoiceNumber: text() }, ['invoiceNumber']),
      (args) => ({ ok: true, invoiceNumber: args.invoiceNumber, paidAt: '2026-11-22T15:00:00Z' }),
      { effect: 'irreversible' },
    ),
  ];
}

/** Things: devices, machines, books, parcels, stock, music, flags, equipment, chargers, to-dos, money. Toolsets as strangers bring them, with what they ask. */
import { B, builtins, DATE, type Domain, DT, E, I, IRR, KEYED, N, P, S, t } from './domain.ts';

const bank: Domain = {
  name: 'bank (snake, cents, balance check)',
  tools: (w) => [
    t('get_accounts', "The user's accounts", {}, () => [
      { account_id: 'acc_chk', type: 'checking', iban: 'DE02120300000000202051', currency: 'EUR' },
      { account_id: 'acc_sav', type: 'savings', iban: 'DE02500105170137075030', currency: 'EUR' },
    ]),
    t('get_balance', 'Current balance of an account', { 'account_id!': S() }, (a) => ({
      account_id: a.account_id,
      balance_cents: a.account_id === 'acc_chk' ? (w.cents ?? 120000) : 800000,
      currency: 'EUR',
    })),
    t('list_payees', 'Saved payees', { name: S() }, (a) => ({
      results: [
        { payee_id: 'py_1', name: 'Sara Klein', iban: 'DE89370400440532013000' },
        { payee_id: 'py_2', name: 'City Power AG', iban: 'DE75512108001245126199' },
      ].filter((p) => !a.name || p.name.toLowerCase().includes(a.name.toLowerCase())),
    })),
    t(
      'create_transfer',
      'Transfer money to a payee',
      {
        'from_account_id!': S(),
        'payee_id!': S(),
        'amount_cents!': I('Amount in cents', { minimum: 1 }),
        reference: S('Text on the statement'),
        execution_date: DATE(),
      },
      (a) => ({ transfer_id: 'tr_1', status: 'booked', amount_cents: a.amount_cents }),
      IRR,
    ),
    t(
      'list_transactions',
      'Transactions of an account',
      { 'account_id!': S(), from_date: DATE(), to_date: DATE(), limit: I('', { default: 20 }) },
      () => ({ results: [{ id: 'x1', amount_cents: -4500, counterparty: 'Grocer', date: '2026-11-20' }] }),
    ),
    ...builtins,
  ],
  goals: [
    {
      say: 'Transfer 50 EUR to Sara Klein from my checking account',
      effects: [['create_transfer', { from_account_id: 'acc_chk', payee_id: 'py_1', amount_cents: 5000 }]],
    },
    { say: "What's the balance of my savings account?", reads: [['get_balance', { account_id: 'acc_sav' }]] },
    { say: 'send 2,000 euros from checking to City Power AG', effects: [], answer: /not|balance/i },
    {
      say: 'Send €12.50 to Sara from my checking account with reference "Lunch"',
      effects: [
        ['create_transfer', { amount_cents: 1250, payee_id: 'py_1', reference: 'Lunch', from_account_id: 'acc_chk' }],
      ],
    },
    { say: 'Transfer money to Sara Klein', effects: [], answer: /\?/ },
    { say: 'Transfer 20 EUR to Bob from checking', effects: [] },
    {
      say: 'show my transactions on the checking account from last week',
      reads: [['list_transactions', { account_id: 'acc_chk', from_date: '2026-11-09', to_date: '2026-11-15' }]],
    },
    { say: 'How much is 19% of 250?', reads: [['calculator', {}]] },
  ],
};

const home: Domain = {
  name: 'smart home (MCP, plain text and lists)',
  tools: () => [
    t(
      'list_devices',
      'List all smart home devices',
      { room: S('Room name'), type: E(['light', 'thermostat', 'lock', 'blind']) },
      (a) =>
        [
          { device_id: 'light.bedroom', name: 'Bedroom lamp', room: 'bedroom', type: 'light' },
          { device_id: 'light.kitchen', name: 'Kitchen ceiling light', room: 'kitchen', type: 'light' },
          { device_id: 'climate.living', name: 'Living room thermostat', room: 'living room', type: 'thermostat' },
          { device_id: 'lock.front', name: 'Front door lock', room: 'hall', type: 'lock' },
        ].filter((d) => (!a.type || d.type === a.type) && (!a.room || d.room === a.room.toLowerCase())),
    ),
    t('get_device_state', 'Get the current state of a device', { 'device_id!': S() }, (a) => ({
      device_id: a.device_id,
      state: 'on',
      brightness: 80,
    })),
    t(
      'turn_on',
      'Turn a device on',
      { 'device_id!': S(), brightness: I('Percent', { minimum: 0, maximum: 100 }) },
      (a) => `OK, ${a.device_id} is on.`,
      KEYED,
    ),
    t('turn_off', 'Turn a device off', { 'device_id!': S() }, (a) => `OK, ${a.device_id} is off.`, KEYED),
    t(
      'set_temperature',
      'Set the target temperature of a thermostat',
      { 'device_id!': S(), 'temperature!': N('Degrees Celsius', { minimum: 5, maximum: 30 }) },
      () => 'done',
      KEYED,
    ),
    t('lock_door', 'Lock a door', { 'device_id!': S() }, () => 'locked', IRR),
    ...builtins,
  ],
  goals: [
    { say: 'Is the bedroom lamp on?', reads: [['get_device_state', { device_id: 'light.bedroom' }]], effects: [] },
    { say: 'turn off the kitchen light', effects: [['turn_off', { device_id: 'light.kitchen' }]] },
    { say: 'Turn on the bedroom lamp at 40%', effects: [['turn_on', { device_id: 'light.bedroom', brightness: 40 }]] },
    {
      say: 'set the thermostat in the living room to 21 degrees',
      effects: [['set_temperature', { device_id: 'climate.living', temperature: 21 }]],
    },
    { say: 'Turn off the lamp', effects: [['turn_off', { device_id: 'light.bedroom' }]] },
    { say: 'Turn off the garage light', effects: [] },
    {
      say: 'Please turn off the kitchen light and lock the front door.',
      effects: [
        ['turn_off', { device_id: 'light.kitchen' }],
        ['lock_door', { device_id: 'lock.front' }],
      ],
    },
    { say: 'What lights do I have?', reads: [['list_devices', { type: 'light' }]], effects: [] },
    { say: 'Did I lock the front door?', effects: [] },
  ],
};

const library: Domain = {
  name: 'library (camelCase, data wrapper, patron by card)',
  tools: (w) => [
    t(
      'searchCatalog',
      'Search the library catalogue',
      { 'q!': S('Title, author or subject'), format: E(['book', 'ebook', 'audiobook', 'dvd']) },
      () => ({
        data: {
          items: [
            { itemId: 'B100', title: 'The Dispossessed', author: 'Ursula K. Le Guin', format: 'book' },
            { itemId: 'B101', title: 'The Left Hand of Darkness', author: 'Ursula K. Le Guin', format: 'book' },
          ],
        },
      }),
    ),
    t('getItemAvailability', 'Copies of an item that are on the shelf', { 'itemId!': S() }, (a) => ({
      data: { itemId: a.itemId, copiesAvailable: w.copies ?? 1 },
    })),
    t(
      'findPatron',
      'Look up a library member by card number or e-mail',
      { cardNumber: S('', { pattern: '^[0-9]{8}$' }), email: S('', { format: 'email' }) },
      () => ({ data: { patronId: 'pt_3', name: 'Jo March' } }),
    ),
    t(
      'placeHold',
      'Reserve an item for a member to pick up',
      { 'itemId!': S(), 'patronId!': S(), pickupBranch: E(['central', 'north', 'harbour']) },
      () => ({ data: { holdId: 'h_1', position: 1 } }),
      IRR,
    ),
    t('listLoans', "A member's current loans", { 'patronId!': S() }, () => ({
      data: [
        { loanId: 'L1', title: 'Dune', dueDate: '2026-11-25' },
        { loanId: 'L2', title: 'Emma', dueDate: '2026-12-02' },
      ],
    })),
    t(
      'renewLoan',
      'Extend a loan by two weeks',
      { 'loanId!': S() },
      (a) => ({ data: { loanId: a.loanId, dueDate: '2026-12-09' } }),
      KEYED,
    ),
  ],
  facts: ['Library card number: 20011234'],
  goals: [
    {
      say: 'Reserve The Dispossessed for me, pick up at the north branch',
      effects: [['placeHold', { itemId: 'B100', patronId: 'pt_3', pickupBranch: 'north' }]],
    },
    { say: 'Do you have any books by Ursula Le Guin?', reads: [['searchCatalog', {}]] },
    { say: 'Renew my loan of Dune', effects: [['renewLoan', { loanId: 'L1' }]] },
    { say: 'which loans do I have?', reads: [['listLoans', { patronId: 'pt_3' }]] },
    { say: 'Is The Left Hand of Darkness available?', reads: [['getItemAvailability', { itemId: 'B101' }]] },
    { say: 'renew loan L2', effects: [['renewLoan', { loanId: 'L2' }]] },
    { say: 'renew my loan', effects: [], answer: /\?/ },
  ],
};

const shipping: Domain = {
  name: 'shipping (nested address, grams, pattern)',
  tools: () => [
    t(
      'shipments_create',
      'Create a shipment',
      {
        'recipient!': P({
          'name!': S(),
          'street!': S(),
          'city!': S(),
          'postalCode!': S('', { pattern: '^[0-9]{5}$' }),
          country: S('ISO country code', { default: 'DE' }),
        }),
        'weightGrams!': I('', { minimum: 1 }),
        service: E(['standard', 'express', 'overnight'], '', { default: 'standard' }),
      },
      () => ({ shipmentId: 'sh_1', trackingNumber: 'PX123456789DE' }),
      IRR,
    ),
    t(
      'shipments_track',
      'Track a parcel',
      { 'trackingNumber!': S('', { pattern: '^[A-Z]{2}[0-9]{9}[A-Z]{2}$' }) },
      (a) => ({ trackingNumber: a.trackingNumber, status: 'in_transit', eta: '2026-11-24', location: 'Leipzig' }),
    ),
    t(
      'shipments_cancel',
      'Cancel a shipment that has not been picked up',
      { 'shipmentId!': S() },
      (a) => ({ shipmentId: a.shipmentId, status: 'cancelled' }),
      IRR,
    ),
    t(
      'rates_quote',
      'Get prices for a parcel',
      {
        'fromPostalCode!': S('', { pattern: '^[0-9]{5}$' }),
        'toPostalCode!': S('', { pattern: '^[0-9]{5}$' }),
        'weightKg!': N(),
      },
      () => [
        { service: 'standard', priceCents: 549 },
        { service: 'express', priceCents: 1290 },
      ],
    ),
    t(
      'pickups_schedule',
      'Schedule a courier pickup',
      { 'shipmentId!': S(), 'date!': DATE(), 'timeWindow!': E(['morning', 'afternoon', 'evening']) },
      () => ({ pickupId: 'pu_1' }),
      IRR,
    ),
  ],
  goals: [
    { say: 'where is my parcel RB987654321DE?', reads: [['shipments_track', { trackingNumber: 'RB987654321DE' }]] },
    {
      say: 'How much does it cost to send a 2.5 kg parcel from 20095 to 80331?',
      reads: [['rates_quote', { fromPostalCode: '20095', toPostalCode: '80331', weightKg: 2.5 }]],
    },
    {
      say: 'Schedule a pickup for shipment sh_42 tomorrow afternoon',
      effects: [['pickups_schedule', { shipmentId: 'sh_42', date: '2026-11-23', timeWindow: 'afternoon' }]],
    },
    {
      say: 'Ship a parcel of 800 grams to Mia Wolf, Lindenstr. 4, 10969 Berlin, by express',
      effects: [],
      answer: /\?/,
    },
    { say: 'Send a parcel to Mia Wolf', effects: [] },
    { say: 'cancel shipment sh_42', effects: [['shipments_cancel', { shipmentId: 'sh_42' }]] },
    { say: 'Create a shipment of 1.2 kg to Mia Wolf in Berlin', effects: [], answer: /\?/ },
  ],
};

const cloud: Domain = {
  name: 'cloud VMs (MCP text results)',
  tools: () => [
    t(
      'list_instances',
      'Lists virtual machines.',
      { region: E(['eu-west', 'us-east']), status: E(['running', 'stopped']) },
      (a) =>
        JSON.stringify(
          [
            {
              instance_id: 'i-0a1',
              name: 'web-1',
              status: 'running',
              size: 'small',
              region: 'eu-west',
              monthly_cost: 20,
            },
            {
              instance_id: 'i-0b2',
              name: 'db-main',
              status: 'running',
              size: 'large',
              region: 'eu-west',
              monthly_cost: 120,
            },
            {
              instance_id: 'i-0c3',
              name: 'old-test',
              status: 'stopped',
              size: 'small',
              region: 'us-east',
              monthly_cost: 5,
            },
          ].filter((i) => !a.status || i.status === a.status),
        ),
    ),
    t(
      'create_instance',
      'Creates a virtual machine.',
      {
        'name!': S('', { pattern: '^[a-z][a-z0-9-]{1,30}$' }),
        'size!': E(['small', 'medium', 'large']),
        'region!': E(['eu-west', 'us-east']),
        image: S('', { default: 'debian-12' }),
      },
      (a) => `Created instance i-9f9 (${a.name}).`,
      IRR,
    ),
    t('stop_instance', 'Stops a virtual machine.', { 'instance_id!': S() }, (a) => `Stopped ${a.instance_id}.`, IRR),
    t('start_instance', 'Starts a virtual machine.', { 'instance_id!': S() }, (a) => `Started ${a.instance_id}.`, IRR),
    t(
      'resize_instance',
      'Changes the size of a virtual machine.',
      { 'instance_id!': S(), 'size!': E(['small', 'medium', 'large']) },
      () => 'ok',
      IRR,
    ),
    t('delete_instance', 'Deletes a virtual machine for good.', { 'instance_id!': S() }, () => 'deleted', IRR),
    t(
      'create_snapshot',
      'Takes a snapshot of the disk of a virtual machine.',
      { 'instance_id!': S(), 'label!': S() },
      () => ({ snapshot_id: 'snap-1' }),
      IRR,
    ),
    ...builtins,
  ],
  goals: [
    { say: 'Stop web-1', effects: [['stop_instance', { instance_id: 'i-0a1' }]] },
    {
      say: 'resize the instance db-main to medium',
      effects: [['resize_instance', { instance_id: 'i-0b2', size: 'medium' }]],
    },
    {
      say: 'Create a small instance named staging-3 in eu-west',
      effects: [['create_instance', { name: 'staging-3', size: 'small', region: 'eu-west' }]],
    },
    { say: 'create a VM', effects: [], answer: /\?/ },
    { say: 'Which instances are stopped?', reads: [['list_instances', { status: 'stopped' }]], answer: /old-test/ },
    { say: 'delete the instance', effects: [], answer: /\?/ },
    {
      say: 'Take a snapshot of db-main labelled "before upgrade" and then stop it',
      effects: [
        ['create_snapshot', { instance_id: 'i-0b2', label: 'before upgrade' }],
        ['stop_instance', { instance_id: 'i-0b2' }],
      ],
    },
    { say: 'Delete instance i-0c3 please', effects: [['delete_instance', { instance_id: 'i-0c3' }]] },
    { say: 'Should I stop db-main?', effects: [] },
    { say: 'stop prod-7', effects: [] },
  ],
};

const warehouse: Domain = {
  name: 'warehouse (enum-ish names, quantities, conditional)',
  tools: (w) => [
    t(
      'stockLevels',
      'Stock of an article in the warehouses',
      { 'sku!': S('Article number, e.g. AB-1000'), warehouse: S('Warehouse code') },
      (a) => ({
        sku: a.sku,
        levels: [
          { warehouse: 'HAM', onHand: w.ham ?? 40 },
          { warehouse: 'MUC', onHand: 5 },
        ],
      }),
    ),
    t(
      'transferStock',
      'Move stock between warehouses',
      { 'sku!': S(), 'fromWarehouse!': S('Code'), 'toWarehouse!': S('Code'), 'quantity!': I('', { minimum: 1 }) },
      () => ({ transferId: 'T1' }),
      IRR,
    ),
    t(
      'reorderArticle',
      'Order more of an article from its supplier',
      { 'sku!': S(), 'quantity!': I('', { minimum: 1 }), expedite: B('Faster, at extra cost') },
      () => ({ purchaseOrder: 'PO-1' }),
      IRR,
    ),
    t('findArticle', 'Find articles by name', { 'query!': S() }, () => [
      { sku: 'AB-1000', name: 'Hex bolt M8' },
      { sku: 'AB-2000', name: 'Wing nut M8' },
    ]),
    t('lowStockReport', 'Articles below a threshold', { threshold: I('', { default: 10 }) }, () => [
      { sku: 'AB-2000', onHand: 3 },
    ]),
  ],
  goals: [
    {
      say: 'Transfer 10 units of AB-1000 from HAM to MUC',
      effects: [['transferStock', { sku: 'AB-1000', fromWarehouse: 'HAM', toWarehouse: 'MUC', quantity: 10 }]],
    },
    { say: 'How many AB-1000 do we have?', reads: [['stockLevels', { sku: 'AB-1000' }]], effects: [] },
    { say: 'reorder 200 hex bolts', effects: [['reorderArticle', { sku: 'AB-1000', quantity: 200 }]] },
    { say: 'Reorder wing nuts', effects: [], answer: /\?/ },
    { say: 'Which articles are low on stock?', reads: [['lowStockReport', {}]] },
    {
      say: 'order 50 of AB-2000, expedite it please',
      effects: [['reorderArticle', { sku: 'AB-2000', quantity: 50, expedite: true }]],
    },
    { say: 'Move AB-1000 to MUC', effects: [], answer: /\?/ },
  ],
};

const music: Domain = {
  name: 'playlists',
  tools: () => [
    t('searchTracks', 'Search songs', { 'query!': S() }, () => ({
      tracks: {
        items: [
          { id: 'tr1', name: 'Blue in Green', artist: 'Miles Davis' },
          { id: 'tr2', name: 'So What', artist: 'Miles Davis' },
        ],
      },
    })),
    t('myPlaylists', 'Get my playlists', {}, () => ({
      items: [
        { id: 'pl1', name: 'Morning Jazz', tracks: 12 },
        { id: 'pl2', name: 'Workout', tracks: 40 },
      ],
    })),
    t(
      'addTrackToPlaylist',
      'Add a song to a playlist',
      { 'playlistId!': S(), 'trackId!': S() },
      () => ({ snapshot: 'x' }),
      KEYED,
    ),
    t(
      'createPlaylist',
      'Create a playlist',
      { 'name!': S(), public: B() },
      (a) => ({ id: 'pl9', name: a.name }),
      KEYED,
    ),
    t('play', 'Start playback of a song', { 'trackId!': S() }, () => 'playing', KEYED),
    t('pause', 'Pause playback', {}, () => 'paused', KEYED),
    t('setVolume', 'Set the volume', { 'percent!': I('', { minimum: 0, maximum: 100 }) }, () => 'ok', KEYED),
  ],
  goals: [
    { say: 'create a playlist called Road Trip', effects: [['createPlaylist', { name: 'Road Trip' }]] },
    { say: 'set the volume to 30%', effects: [['setVolume', { percent: 30 }]] },
    { say: 'pause the music', effects: [['pause', {}]] },
    { say: 'Play Blue in Green', effects: [['play', { trackId: 'tr1' }]] },
    { say: 'which playlists do I have?', reads: [['myPlaylists', {}]] },
  ],
};

const db: Domain = {
  name: 'feature flags',
  tools: () => [
    t('flags_list', 'List feature flags', { environment: E(['dev', 'staging', 'prod']) }, () => [
      { key: 'new-checkout', enabled: false, environment: 'prod' },
      { key: 'dark-mode', enabled: true, environment: 'prod' },
    ]),
    t(
      'flag_enable',
      'Enable a feature flag',
      { 'key!': S(), 'environment!': E(['dev', 'staging', 'prod']) },
      () => ({ ok: true }),
      KEYED,
    ),
    t(
      'flag_disable',
      'Disable a feature flag',
      { 'key!': S(), 'environment!': E(['dev', 'staging', 'prod']) },
      () => ({ ok: true }),
      KEYED,
    ),
    t('audit_log_get', 'Get the audit log', { since: DT(), limit: I('', { default: 20 }) }, () => [
      { at: '2026-11-22T10:00:00Z', action: 'enable dark-mode', by: 'lee' },
    ]),
  ],
  goals: [
    {
      say: 'enable new-checkout in staging',
      effects: [['flag_enable', { key: 'new-checkout', environment: 'staging' }]],
    },
    { say: 'Turn off dark-mode in prod', effects: [['flag_disable', { key: 'dark-mode', environment: 'prod' }]] },
    { say: 'disable dark-mode', effects: [], answer: /environment.*\?/i },
    { say: 'Is dark-mode enabled in prod?', reads: [['flags_list', { environment: 'prod' }]], effects: [] },
    { say: 'show the audit log of the last 2 days', reads: [['audit_log_get', { since: /2026-11-20/ }]] },
  ],
};

const lab: Domain = {
  name: 'equipment loan (described verbs)',
  tools: () => [
    t(
      'equipment_search',
      'Search lab equipment',
      { keyword: S(), available: B('Only what can be borrowed now') },
      () => ({
        hits: [
          { assetTag: 'AT-11', name: 'Oscilloscope Rigol', available: true },
          { assetTag: 'AT-12', name: 'Oscilloscope Tek', available: false },
        ],
      }),
    ),
    t(
      'borrow_equipment',
      'Borrow a piece of equipment',
      { 'assetTag!': S(), 'until!': DATE('Return date') },
      () => ({ loanId: 'LN1' }),
      IRR,
    ),
    t('return_equipment', 'Give back borrowed equipment', { 'loanId!': S() }, () => ({ ok: true }), IRR),
    t('my_loans', 'What I have borrowed', {}, () => ({
      loans: [{ loanId: 'LN0', name: 'Soldering iron', until: '2026-11-30' }],
    })),
  ],
  goals: [
    {
      say: 'Borrow an oscilloscope until Friday',
      effects: [['borrow_equipment', { assetTag: 'AT-11', until: '2026-11-27' }]],
    },
    { say: 'return the soldering iron', effects: [['return_equipment', { loanId: 'LN0' }]] },
    { say: 'What do I have on loan?', reads: [['my_loans', {}]] },
    { say: 'return the microscope', effects: [] },
    { say: 'Borrow AT-12 until Friday', effects: [] },
  ],
};

const energy: Domain = {
  name: 'EV charging',
  tools: () => [
    t(
      'chargers_nearby',
      'Charging stations near a place',
      { 'place!': S(), radiusKm: N('', { default: 5 }), connector: E(['CCS', 'Type2', 'CHAdeMO']) },
      () => ({
        stations: [
          { stationId: 'cs1', name: 'Mall East', pricePerKwh: 0.59, distanceKm: 1.1, free: 2 },
          { stationId: 'cs2', name: 'Harbor', pricePerKwh: 0.45, distanceKm: 3.4, free: 0 },
        ],
      }),
    ),
    t(
      'charging_start',
      'Start charging',
      { 'stationId!': S(), targetPercent: I('', { minimum: 10, maximum: 100 }) },
      () => ({ sessionId: 'se1' }),
      IRR,
    ),
    t('charging_stop', 'Stop charging', { 'sessionId!': S() }, () => ({ kwh: 12.2 }), IRR),
    t('vehicle_status', 'Battery level and range of the car', {}, () => ({ batteryPercent: 34, rangeKm: 140 })),
  ],
  goals: [
    {
      say: 'Start charging at Mall East near Lisbon up to 80%',
      effects: [['charging_start', { stationId: 'cs1', targetPercent: 80 }]],
    },
    { say: 'How full is the battery of the car?', reads: [['vehicle_status', {}]] },
    {
      say: 'Where is the cheapest CCS charger near Lisbon?',
      reads: [['chargers_nearby', { place: 'Lisbon', connector: 'CCS' }]],
      answer: /Harbor/,
    },
    { say: 'stop charging', effects: [] },
    {
      say: 'If the battery is below 50%, start charging at station cs1.',
      effects: [['charging_start', { stationId: 'cs1' }]],
    },
    { say: 'If the battery is below 20%, start charging at station cs1.', effects: [] },
    { say: 'If it rains tomorrow, start charging at station cs1.', effects: [] },
  ],
};

const todo: Domain = {
  name: 'to-dos (MCP plain text)',
  tools: () => [
    t(
      'todo_list',
      'Lists to-dos',
      { done: B('Only finished ones (true) or open ones (false)') },
      () => '- [ ] 1: Buy milk\n- [ ] 2: Call the bank\n- [x] 3: Water plants',
      IRR,
    ),
    t('todo_add', 'Adds a to-do', { 'text!': S(), due: DATE() }, () => 'Added to-do 4.', IRR),
    t('todo_complete', 'Marks a to-do as done', { 'id!': I() }, (a) => `To-do ${a.id} is done.`, IRR),
    ...builtins,
  ],
  goals: [
    { say: 'What do I still have to do?', reads: [['todo_list', {}]], effects: [] },
    {
      say: 'Add "renew passport" to my to-dos, due 1 December',
      effects: [['todo_add', { text: 'renew passport', due: '2026-12-01' }]],
    },
    { say: 'add buy eggs to my todo list', effects: [['todo_add', { text: /buy eggs/i }]] },
    { say: 'complete to-do 2', effects: [['todo_complete', { id: 2 }]] },
    { say: 'Mark to-do 1 as done', effects: [['todo_complete', { id: 1 }]] },
    { say: 'Show my open todos', reads: [['todo_list', {}]] },
    { say: 'what time is it in Tokyo?', reads: [['current_time', { timeZone: 'Asia/Tokyo' }]], no: ['todo_list'] },
    { say: 'Hello!', effects: [] },
  ],
};

export const things: readonly Domain[] = [
  bank,
  home,
  library,
  shipping,
  cloud,
  warehouse,
  music,
  db,
  lab,
  energy,
  todo,
];

/** Offices: issues, tickets, customers, invoices, leave, expenses, chat. Toolsets as strangers bring them, with what they ask. */
import { A, builtins, DATE, type Domain, DT, E, I, IRR, KEYED, N, P, S, t } from './domain.ts';

const issues: Domain = {
  name: 'issue tracker (MCP, everything irreversible, no outputs)',
  tools: () => [
    t(
      'list_issues',
      'List issues in the workspace',
      {
        state: E(['open', 'in_progress', 'closed']),
        assignee: S('User name or "me"'),
        label: S(),
        query: S('Free text'),
        limit: I('', { default: 50 }),
      },
      (a) => ({
        issues: [
          { id: 'WEB-12', title: 'Login button broken', state: 'open', priority: 2, assignee: 'nina' },
          { id: 'WEB-19', title: 'Slow dashboard', state: 'open', priority: 1 },
        ].filter((i) => !a.state || i.state === a.state),
      }),
      IRR,
    ),
    t(
      'get_issue',
      'Get a single issue',
      { 'id!': S('Issue identifier, e.g. WEB-123') },
      (a) => ({ id: a.id, title: 'Login button broken', state: 'open', assignee: 'nina', priority: 2 }),
      IRR,
    ),
    t(
      'create_issue',
      'Create a new issue',
      {
        'title!': S(),
        description: S('Markdown'),
        'team_id!': S('Team the issue belongs to'),
        priority: I('0 = none, 1 = urgent … 4 = low', { minimum: 0, maximum: 4 }),
        labels: A(S()),
      },
      (a) => ({ id: 'WEB-77', title: a.title, state: 'open' }),
      IRR,
    ),
    t(
      'update_issue',
      'Update fields of an issue',
      {
        'id!': S('Issue identifier'),
        state: E(['open', 'in_progress', 'closed']),
        assignee_id: S('Id of the user'),
        priority: I('', { minimum: 0, maximum: 4 }),
      },
      (a) => ({ ...a }),
      IRR,
    ),
    t(
      'add_comment',
      'Add a comment to an issue',
      { 'issue_id!': S(), 'body!': S('Comment text') },
      () => 'Comment added (id c_9).',
      IRR,
    ),
    t(
      'list_teams',
      'List teams',
      {},
      () => ({
        teams: [
          { id: 't_web', name: 'Web' },
          { id: 't_mob', name: 'Mobile' },
        ],
      }),
      IRR,
    ),
    t(
      'list_users',
      'List users',
      { query: S() },
      () => ({
        users: [
          { id: 'u_1', name: 'Nina Olsen' },
          { id: 'u_2', name: 'Tom Berg' },
        ],
      }),
      IRR,
    ),
    ...builtins,
  ],
  goals: [
    { say: 'Which issues are still open?', reads: [['list_issues', { state: 'open' }]], answer: /Login button/ },
    { say: "what's the status of WEB-12", reads: [['get_issue', { id: 'WEB-12' }]] },
    {
      say: 'Please create an issue titled "Checkout crashes on Safari" for the Web team',
      effects: [['create_issue', { title: 'Checkout crashes on Safari', team_id: 't_web' }]],
    },
    { say: 'close WEB-19', effects: [['update_issue', { id: 'WEB-19', state: 'closed' }]], exact: true },
    {
      say: 'comment on WEB-12: "Fixed in the next release."',
      effects: [['add_comment', { issue_id: 'WEB-12', body: 'Fixed in the next release.' }]],
    },
    {
      say: 'Assign WEB-12 to Tom Berg and move it to in progress.',
      effects: [['update_issue', { id: 'WEB-12', assignee_id: 'u_2', state: 'in_progress' }]],
    },
    {
      say: 'Can you assign the slow dashboard issue to Nina?',
      effects: [['update_issue', { id: 'WEB-19', assignee_id: 'u_1' }]],
    },
    { say: 'create an issue', effects: [], answer: /\?$/ },
    { say: 'delete WEB-12', effects: [] },
  ],
};

const helpdesk: Domain = {
  name: 'IT helpdesk (all MCP without hints)',
  tools: () => [
    t(
      'search_knowledge_base',
      'Search help articles',
      { 'query!': S() },
      () => '1. How to connect to the VPN: open the client, choose "Office" and sign in.',
      IRR,
    ),
    t(
      'create_ticket',
      'Open a support ticket',
      {
        'subject!': S(),
        'description!': S(),
        'category!': E(['hardware', 'software', 'network', 'access']),
        urgency: E(['low', 'normal', 'high'], '', { default: 'normal' }),
        requester_email: S('', { format: 'email' }),
      },
      () => ({ ticket_id: 4711, status: 'open' }),
      IRR,
    ),
    t(
      'get_ticket',
      'Get a ticket',
      { 'ticket_id!': I() },
      (a) => ({ ticket_id: a.ticket_id, status: 'open', assignee: null }),
      IRR,
    ),
    t(
      'list_my_tickets',
      'List my tickets',
      { status: E(['open', 'pending', 'solved']) },
      () => [{ ticket_id: 4700, subject: 'Laptop slow', status: 'open' }],
      IRR,
    ),
    t('assign_ticket', 'Assign a ticket to an agent', { 'ticket_id!': I(), 'agent_id!': S() }, () => 'ok', IRR),
    t(
      'list_agents',
      'List support agents',
      {},
      () => [
        { agent_id: 'ag1', name: 'Priya Shah', open_tickets: 3 },
        { agent_id: 'ag2', name: 'Leo Kurz', open_tickets: 1 },
      ],
      IRR,
    ),
    t(
      'reset_password',
      'Reset the password of an account',
      { 'username!': S() },
      () => 'A temporary password was sent.',
      IRR,
    ),
  ],
  goals: [
    {
      say: 'My printer does not work. Please open a hardware ticket with subject "Printer dead" saying "It does not turn on any more."',
      effects: [
        [
          'create_ticket',
          { subject: 'Printer dead', description: 'It does not turn on any more.', category: 'hardware' },
        ],
      ],
    },
    { say: 'How do I connect to the VPN?', reads: [['search_knowledge_base', {}]], effects: [] },
    { say: 'assign ticket 4700 to Priya Shah', effects: [['assign_ticket', { ticket_id: 4700, agent_id: 'ag1' }]] },
    {
      say: 'assign ticket 4700 to the agent with the fewest open tickets',
      effects: [['assign_ticket', { ticket_id: 4700, agent_id: 'ag2' }]],
    },
    { say: 'reset the password of jdoe', effects: [['reset_password', { username: 'jdoe' }]] },
    { say: 'reset my password', effects: [], answer: /\?/ },
    { say: "What's the status of ticket 4700?", reads: [['get_ticket', { ticket_id: 4700 }]] },
    { say: 'do I have any open tickets?', reads: [['list_my_tickets', { status: 'open' }]] },
    { say: 'Open a ticket', effects: [], answer: /\?/ },
  ],
};

const crm: Domain = {
  name: 'CRM (search by query, deals, notes)',
  tools: () => [
    t('contacts_search', 'Search contacts', { 'query!': S() }, (a) => ({
      results: [
        { id: 501, name: 'Ida Holm', email: 'ida@fjord.example', company: 'Fjord AS' },
        { id: 502, name: 'Ian Moss', email: 'ian@moss.example', company: 'Moss & Co' },
      ].filter((c) => JSON.stringify(c).toLowerCase().includes(a.query.toLowerCase())),
    })),
    t('deals_list', 'List deals', { stage: E(['lead', 'qualified', 'proposal', 'won', 'lost']), owner: S() }, () => ({
      results: [
        { id: 9001, name: 'Fjord AS – annual plan', stage: 'proposal', amount: 24000, closeDate: '2026-12-15' },
        { id: 9002, name: 'Moss pilot', stage: 'lead', amount: 3000, closeDate: '2027-01-20' },
      ],
    })),
    t(
      'deals_update',
      'Update a deal',
      { 'dealId!': I(), stage: E(['lead', 'qualified', 'proposal', 'won', 'lost']), amount: N() },
      (a) => ({ ...a }),
      KEYED,
    ),
    t('notes_add', 'Add a note to a contact', { 'contactId!': I(), 'text!': S() }, () => ({ noteId: 1 }), IRR),
    t(
      'tasks_create',
      'Create a follow-up task',
      { 'title!': S(), dueDate: DATE(), contactId: I() },
      () => ({ taskId: 77 }),
      IRR,
    ),
    t(
      'emails_send',
      'Send an e-mail',
      { 'to!': S('', { format: 'email' }), 'subject!': S(), 'body!': S() },
      () => ({ status: 'queued' }),
      IRR,
    ),
    ...builtins,
  ],
  goals: [
    { say: 'Mark the Moss pilot deal as won', effects: [['deals_update', { dealId: 9002, stage: 'won' }]] },
    {
      say: 'add a note to Ida Holm saying "Prefers calls in the morning."',
      effects: [['notes_add', { contactId: 501, text: 'Prefers calls in the morning.' }]],
    },
    {
      say: 'Create a task to call Ida Holm on Friday',
      effects: [['tasks_create', { title: /call Ida Holm/i, dueDate: '2026-11-27' }]],
    },
    {
      say: "What is Ian Moss's email address?",
      reads: [['contacts_search', { query: 'Ian Moss' }]],
      answer: /ian@moss/,
    },
    { say: 'which deal is the biggest?', reads: [['deals_list', {}]], answer: /Fjord/ },
    {
      say: 'Email Ida Holm with subject "Offer" saying "Dear Ida, the offer is ready."',
      effects: [['emails_send', { to: 'ida@fjord.example', subject: 'Offer', body: 'Dear Ida, the offer is ready.' }]],
    },
    {
      say: 'move the Fjord deal to won and add a note to Ida Holm saying "Signed today."',
      effects: [
        ['deals_update', { dealId: 9001, stage: 'won' }],
        ['notes_add', { contactId: 501, text: 'Signed today.' }],
      ],
    },
    {
      say: 'set the amount of the Moss pilot deal to 5000',
      effects: [['deals_update', { dealId: 9002, amount: 5000 }]],
    },
    { say: 'update the deal', effects: [], answer: /\?/ },
  ],
};

const invoicing: Domain = {
  name: 'invoicing (arrays of objects, cents, void)',
  tools: () => [
    t(
      'customers_find',
      'Find customers by name',
      { 'name!': S() },
      (a) => ({
        customers: [
          { id: 'cus_1', name: 'Nordlicht GmbH' },
          { id: 'cus_2', name: 'Blue Harbor Ltd' },
        ].filter((c) => c.name.toLowerCase().includes(a.name.toLowerCase())),
      }),
      { returns: P({ customers: A(P({ id: S(), name: S() })) }) },
    ),
    t(
      'invoices_list',
      'List invoices',
      { status: E(['draft', 'open', 'paid', 'overdue', 'void']), customer_id: S() },
      (a) => ({
        data: [
          { id: 'in_1', customer: 'Nordlicht GmbH', total_cents: 119000, status: 'overdue', due_date: '2026-11-01' },
          { id: 'in_2', customer: 'Blue Harbor Ltd', total_cents: 50000, status: 'open', due_date: '2026-12-01' },
        ].filter((i) => !a.status || i.status === a.status),
      }),
    ),
    t(
      'invoices_create',
      'Create a draft invoice',
      {
        'customer_id!': S(),
        'line_items!': A(P({ 'description!': S(), 'quantity!': I(), 'unit_price_cents!': I() })),
        due_date: DATE(),
      },
      () => ({ id: 'in_9', status: 'draft' }),
      IRR,
    ),
    t(
      'invoices_send',
      'Send an invoice to the customer by e-mail',
      { 'invoice_id!': S() },
      () => ({ sent: true }),
      IRR,
    ),
    t('invoices_void', 'Void an invoice', { 'invoice_id!': S() }, () => ({ status: 'void' }), IRR),
    t(
      'payments_refund',
      'Refund a payment',
      { 'payment_id!': S(), amount_cents: I('Part of the amount; all where left out') },
      () => ({ refund_id: 're_1' }),
      IRR,
    ),
    ...builtins,
  ],
  goals: [
    { say: 'which invoices are overdue?', reads: [['invoices_list', { status: 'overdue' }]] },
    { say: 'Send invoice in_2 to the customer', effects: [['invoices_send', { invoice_id: 'in_2' }]] },
    {
      say: 'Refund 25 euros of payment pay_88',
      effects: [['payments_refund', { payment_id: 'pay_88', amount_cents: 2500 }]],
    },
    { say: 'Refund payment pay_88', effects: [['payments_refund', { payment_id: 'pay_88' }]], exact: true },
    { say: 'void the overdue invoice of Nordlicht', effects: [['invoices_void', { invoice_id: 'in_1' }]] },
    { say: 'Create an invoice for Blue Harbor Ltd', effects: [], answer: /\?/ },
    { say: 'What does Nordlicht GmbH owe us?', effects: [] },
    { say: "Don't void in_1, just show it to me.", effects: [] },
  ],
};

const hr: Domain = {
  name: 'HR leave (kebab, keyed)',
  tools: (w) => [
    t('hr-get-leave-balance', 'Remaining leave days', { 'employeeId!': S(), year: I() }, (a) => ({
      employeeId: a.employeeId,
      vacationDaysRemaining: w.left ?? 12,
      sickDays: 2,
    })),
    t('hr-find-employee', 'Find an employee', { name: S(), email: S('', { format: 'email' }) }, (a) => ({
      employees: [
        { employeeId: 'E-7', name: 'Olga Petrova', email: 'olga@corp.example' },
        { employeeId: 'E-8', name: 'Ravi Menon', email: 'ravi@corp.example' },
      ].filter((e) => (!a.name || e.name.includes(a.name)) && (!a.email || e.email === a.email)),
    })),
    t(
      'hr-submit-leave-request',
      'Submit a request for leave',
      {
        'employeeId!': S(),
        'type!': E(['vacation', 'sick', 'parental', 'unpaid']),
        'startDate!': DATE(),
        'endDate!': DATE(),
        comment: S(),
      },
      () => ({ requestId: 'LR-1', status: 'pending' }),
      KEYED,
    ),
    t('hr-list-team-absences', 'Who is absent in a period', { 'from!': DATE(), 'to!': DATE() }, () => ({
      absences: [{ employee: 'Ravi Menon', from: '2026-12-21', to: '2026-12-23' }],
    })),
    t(
      'hr-withdraw-leave-request',
      'Withdraw a leave request',
      { 'requestId!': S() },
      (a) => ({ requestId: a.requestId, status: 'withdrawn' }),
      KEYED,
    ),
  ],
  facts: ['Employee id: E-7', "The user's name is Olga Petrova"],
  goals: [
    {
      say: 'I want to take vacation from 21 to 23 December',
      effects: [
        [
          'hr-submit-leave-request',
          { employeeId: 'E-7', type: 'vacation', startDate: '2026-12-21', endDate: '2026-12-23' },
        ],
      ],
    },
    {
      say: 'Please request a vacation for me from Dec 21 to Dec 23',
      effects: [
        [
          'hr-submit-leave-request',
          { employeeId: 'E-7', type: 'vacation', startDate: '2026-12-21', endDate: '2026-12-23' },
        ],
      ],
    },
    { say: 'how many vacation days do I have left?', reads: [['hr-get-leave-balance', { employeeId: 'E-7' }]] },
    { say: 'Who is absent next week?', reads: [['hr-list-team-absences', { from: '2026-11-23', to: '2026-11-29' }]] },
    { say: 'Report me sick today', effects: [] },
    {
      say: ['request vacation for me from 21 to 23 december', 'withdraw it'],
      effects: [['hr-withdraw-leave-request', { requestId: 'LR-1' }]],
    },
    { say: 'Request leave for Ravi Menon from 4 January to 8 January 2027', effects: [], answer: /\?/ },
    {
      say: 'Request parental leave for ravi@corp.example from 4 January to 8 January 2027',
      effects: [
        [
          'hr-submit-leave-request',
          { employeeId: 'E-8', type: 'parental', startDate: '2027-01-04', endDate: '2027-01-08' },
        ],
      ],
    },
  ],
};

const payroll: Domain = {
  name: 'expenses',
  tools: () => [
    t(
      'expenses_list',
      'List expense claims',
      { status: E(['draft', 'submitted', 'approved', 'rejected']), employee: S() },
      () => ({
        data: [
          { claimId: 'EX-1', employee: 'Rita Vogel', total: 82.4, currency: 'EUR', status: 'submitted' },
          { claimId: 'EX-2', employee: 'Omar Said', total: 19.9, currency: 'EUR', status: 'submitted' },
        ],
      }),
    ),
    t('expenses_approve', 'Approve an expense claim', { 'claimId!': S() }, () => ({ ok: true }), IRR),
    t('expenses_reject', 'Reject an expense claim', { 'claimId!': S(), 'reason!': S() }, () => ({ ok: true }), IRR),
    t(
      'expenses_create',
      'File an expense claim',
      {
        'description!': S(),
        'amount!': N(),
        'currency!': S('ISO 4217'),
        'category!': E(['travel', 'meals', 'equipment']),
        date: DATE(),
      },
      () => ({ claimId: 'EX-9' }),
      IRR,
    ),
  ],
  goals: [
    { say: 'Approve the expense claim of Rita Vogel', effects: [['expenses_approve', { claimId: 'EX-1' }]] },
    {
      say: 'Reject EX-2 because the receipt is missing',
      effects: [['expenses_reject', { claimId: 'EX-2', reason: 'the receipt is missing' }]],
    },
    { say: 'Approve the claim of Bert Wolf', effects: [] },
    { say: 'which expense claims are submitted?', reads: [['expenses_list', { status: 'submitted' }]] },
    { say: 'reject the claim of Omar Said', effects: [], answer: /reason/i },
    {
      say: 'File an expense claim of 42.50 EUR for meals, description "Team lunch"',
      effects: [['expenses_create', { description: 'Team lunch', amount: 42.5, currency: 'EUR', category: 'meals' }]],
    },
    { say: 'Approve all claims', effects: [] },
  ],
};

const forum: Domain = {
  name: 'team chat',
  tools: () => [
    t('channels_list', 'List channels', {}, () => ({
      channels: [
        { id: 'C01', name: 'general' },
        { id: 'C02', name: 'design' },
      ],
    })),
    t(
      'chat_postMessage',
      'Post a message to a channel',
      { 'channel!': S('Channel id'), 'text!': S() },
      () => ({ ok: true, ts: '1.2' }),
      IRR,
    ),
    t('users_lookupByEmail', 'Find a user by e-mail', { 'email!': S('', { format: 'email' }) }, () => ({
      user: { id: 'U7', name: 'sam' },
    })),
    t('reminders_add', 'Create a reminder', { 'text!': S(), 'time!': DT() }, () => ({ reminder: { id: 'Rm1' } }), IRR),
    t(
      'users_setStatus',
      "Set the user's status",
      { 'status_text!': S(), status_emoji: S() },
      () => ({ ok: true }),
      KEYED,
    ),
  ],
  goals: [
    {
      say: 'Post "Deploy at 5pm" in #design',
      effects: [['chat_postMessage', { channel: /C02|design/, text: 'Deploy at 5pm' }]],
    },
    {
      say: 'tell the design channel that the demo is moved to Friday',
      effects: [['chat_postMessage', { channel: 'C02', text: /demo is moved to Friday/i }]],
    },
    {
      say: 'Remind me to call the dentist tomorrow at 9',
      effects: [['reminders_add', { text: /call the dentist/i, time: '2026-11-23T09:00:00+01:00' }]],
    },
    { say: 'set my status to "In a meeting"', effects: [['users_setStatus', { status_text: 'In a meeting' }]] },
    { say: 'post a message', effects: [], answer: /\?/ },
  ],
};

export const offices: readonly Domain[] = [issues, helpdesk, crm, invoicing, hr, payroll, forum];

/** The API as data: the list of endpoints, and OpenAPI 3.1 made from the same zod schemas that check requests. */

import { Bundle } from '@tutti/contracts';
import { z } from 'zod';
import { ChatCompletionRequest } from '../core/chat-request.ts';
import { DecideApproval, ListApprovals } from './routes-approvals.ts';
import { ExplainCall } from './routes-calls.ts';
import { ListDeadLetters } from './routes-dead-letters.ts';
import { PutDocument } from './routes-documents.ts';
import { AnswerQuestion } from './routes-input.ts';
import { ForkRun, Preflight, ReadState } from './routes-journal.ts';
import { CancelRun, CreateRun, ListRuns, ReadJournal } from './routes-runs.ts';
import { PutSchedule } from './routes-schedules.ts';
import { ReadSession } from './routes-sessions.ts';
import { SetSwitch } from './routes-switches.ts';
import { ApproveTools, ListTools } from './routes-tools.ts';
import { UndoRun } from './routes-undo.ts';
import { ReadUsage, RenderPrompt } from './routes-usage.ts';

interface Endpoint {
  method: string;
  path: string;
  summary: string;
  body?: z.ZodType;
  query?: z.ZodObject;
  status?: number;
  contentType?: string;
}

const EVENT_STREAM = 'text/event-stream';
const DOCUMENT = '/v1/collections/{collection}/documents/{id}';
export const ENDPOINTS: readonly Endpoint[] = [
  {
    method: 'POST',
    path: '/v1/chat/completions',
    summary: 'OpenAI Chat Completions; an agent is a model.',
    body: ChatCompletionRequest,
  },
  { method: 'GET', path: '/v1/models', summary: 'Agents as models.' },
  { method: 'GET', path: '/v1/models/{name}', summary: 'One agent as a model.' },
  { method: 'POST', path: '/v1/runs', summary: 'Start a run.', body: CreateRun, status: 202 },
  { method: 'GET', path: '/v1/runs', summary: 'Runs, newest first.', query: ListRuns },
  { method: 'GET', path: '/v1/runs/{id}', summary: 'A run.' },
  { method: 'GET', path: '/v1/runs/{id}/events', summary: 'A run’s events, live.', contentType: EVENT_STREAM },
  { method: 'GET', path: '/v1/runs/{id}/journal', summary: 'A run’s entries.', query: ReadJournal },
  { method: 'POST', path: '/v1/runs/{id}/cancel', summary: 'Cancel a run.', body: CancelRun, status: 202 },
  { method: 'POST', path: '/v1/runs/{id}/input', summary: 'Answer what a run asks.', body: AnswerQuestion },
  { method: 'GET', path: '/v1/runs/{id}/state', summary: 'The state of a run at a version.', query: ReadState },
  {
    method: 'POST',
    path: '/v1/runs/{id}/fork',
    summary: 'Go on otherwise from a version.',
    body: ForkRun,
    status: 202,
  },
  { method: 'POST', path: '/v1/runs/{id}/undo', summary: 'Undo what it has left behind.', body: UndoRun, status: 202 },
  {
    method: 'GET',
    path: '/v1/runs/{id}/results/{call}',
    summary: 'A large result in full.',
    contentType: 'text/plain',
  },
  { method: 'POST', path: '/v1/preflight', summary: 'Try a bundle on runs.', body: Preflight },
  {
    method: 'GET',
    path: '/v1/calls/{id}/decisions',
    summary: 'Which policies decided about a call.',
    query: ExplainCall,
  },
  { method: 'GET', path: '/v1/schedules', summary: 'Schedules.' },
  { method: 'GET', path: '/v1/schedules/{name}', summary: 'A schedule, with its next ticks.' },
  { method: 'PUT', path: '/v1/schedules/{name}', summary: 'Set a schedule.', body: PutSchedule },
  { method: 'DELETE', path: '/v1/schedules/{name}', summary: 'Remove a schedule.' },
  { method: 'GET', path: '/v1/dead-letters', summary: 'What kept failing.', query: ListDeadLetters },
  { method: 'GET', path: '/v1/dead-letters/{id}', summary: 'A dead letter.' },
  { method: 'POST', path: '/v1/dead-letters/{id}/resend', summary: 'Send it again.', status: 202 },
  { method: 'DELETE', path: '/v1/dead-letters/{id}', summary: 'Remove it.' },
  { method: 'GET', path: '/v1/switches', summary: 'What is or was stopped.' },
  {
    method: 'PUT',
    path: '/v1/switches',
    summary: 'Stop or release a tool, an agent, a tenant or all.',
    body: SetSwitch,
  },
  { method: 'GET', path: '/v1/usage', summary: 'What was used, and what budgets stand at.', query: ReadUsage },
  {
    method: 'POST',
    path: '/v1/prompts/{name}/render',
    summary: 'A prompt of the bundle, rendered.',
    body: RenderPrompt,
  },
  { method: 'GET', path: '/v1/load', summary: 'How the partitions do.' },
  { method: 'GET', path: '/v1/approvals', summary: 'Approvals.', query: ListApprovals },
  { method: 'GET', path: '/v1/approvals/{id}', summary: 'An approval.' },
  { method: 'POST', path: '/v1/approvals/{id}', summary: 'Decide: approve or deny.', body: DecideApproval },
  { method: 'GET', path: '/v1/sessions/{id}', summary: 'A conversation’s turns.', query: ReadSession },
  { method: 'GET', path: '/v1/agents', summary: 'Agents of the current bundle.' },
  { method: 'GET', path: '/v1/agents/{name}', summary: 'One agent.' },
  { method: 'GET', path: '/v1/tools', summary: 'Tool sources, and what is withheld.', query: ListTools },
  { method: 'POST', path: '/v1/tools/approve', summary: 'Approve tools as they were shown.', body: ApproveTools },
  { method: 'POST', path: '/v1/bundles', summary: 'Apply a bundle.', body: Bundle },
  { method: 'GET', path: '/v1/bundles/current', summary: 'The current bundle.' },
  { method: 'GET', path: '/v1/collections/{collection}/documents', summary: 'A collection’s documents.' },
  { method: 'GET', path: DOCUMENT, summary: 'A document.' },
  { method: 'PUT', path: DOCUMENT, summary: 'Write a document.', body: PutDocument, status: 202 },
  { method: 'DELETE', path: DOCUMENT, summary: 'Delete a document.', status: 202 },
  { method: 'GET', path: '/healthz', summary: 'The process lives.' },
  { method: 'GET', path: '/readyz', summary: 'Requests may come.' },
];

export function openApi(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const endpoint of ENDPOINTS) {
    paths[endpoint.path] ??= {};
    paths[endpoint.path]![endpoint.method.toLowerCase()] = operation(endpoint);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Tutti', version: '1', description: 'An orchestration layer for AI agents.' },
    paths,
    components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    security: [{ key: [] }, {}],
  };
}

function operation(endpoint: Endpoint): Record<string, unknown> {
  const inPath = [...endpoint.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inQuery = Object.entries(endpoint.query?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    schema: jsonSchema(schema as z.ZodType),
  }));
  const body = endpoint.body
    ? { requestBody: { required: true, content: { 'application/json': { schema: jsonSchema(endpoint.body) } } } }
    : {};
  const type = endpoint.contentType ?? 'application/json';
  return {
    summary: endpoint.summary,
    parameters: [...inPath, ...inQuery],
    ...body,
    responses: {
      [endpoint.status ?? 200]: { description: 'Done.', content: { [type]: {} } },
      default: { description: 'An error, in OpenAI’s shape.', content: { 'application/json': { schema: ERROR } } },
    },
  };
}

const ERROR = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'code', 'param', 'retryable'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        code: { type: 'string' },
        param: { type: ['string', 'null'] },
        retryable: { type: 'boolean' },
        details: {},
      },
    },
  },
};

function jsonSchema(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

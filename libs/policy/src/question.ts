/** A question as Cedar is asked it: defaults filled in, and what no policy looks at left out or made the same for all. */
import type { EntityJson } from '@cedar-policy/cedar-wasm/nodejs';
import {
  added,
  type History,
  type Label,
  mayFlow,
  NOTHING_DONE,
  type PolicyAttributes,
  RESULT_LABEL,
  TRUST,
} from '@tutti/contracts';
import { type Interests, looksAt, names } from './interests.ts';
import type { PolicySchema } from './schema.ts';
import { LABELLED_ACTIONS, type PolicyRequest, type PolicyResource, type ToolAttributes } from './types.ts';

type Value = string | number | boolean | Value[] | { [name: string]: Value };
type Entity = { type: string; id: string };
export interface Question {
  principal: Entity;
  action: Entity;
  resource: Entity;
  context: Record<string, Value>;
  entities: EntityJson[];
}

/** Stands for an entity that no policy names. */
const ANY = '*';

export function questionOf(request: PolicyRequest, schema: PolicySchema, interests: Interests): Question {
  const { principal, resource } = request;
  // An agent that is started by itself is one entity, and one that starts another is two.
  const alike = principal.type === resource.type;
  const uid = ({ type, id }: Entity): Entity => ({ type, id: alike || names(interests.named, type) ? id : ANY });
  const who = { uid: uid(principal), attrs: { ...principal.attrs, ...encoded(principal.attributes) }, parents: [] };
  const what = {
    uid: uid(resource),
    attrs: { ...attributesOf(resource), ...encoded(resource.attributes) },
    parents: [],
  };
  const same = alike && principal.id === resource.id;
  return {
    principal: who.uid,
    action: { type: 'Action', id: request.action },
    resource: what.uid,
    context: contextOf(request, schema, interests),
    entities: (same ? [who] : [who, what]) as EntityJson[],
  };
}

function attributesOf(resource: PolicyResource): Record<string, Value> {
  switch (resource.type) {
    case 'Tool':
      return toolAttributes(resource.attrs);
    case 'Collection': {
      const { tenant, label = RESULT_LABEL } = resource.attrs;
      return { tenant, integrity: label.integrity, confidentiality: label.confidentiality };
    }
    case 'Run':
      return { agent: '', startedBy: '', ...resource.attrs };
    case 'Approval':
      return { tool: '', effect: '', policy: '', agent: '', startedBy: '', ...resource.attrs };
    case 'Bundle':
      return { name: '', ...resource.attrs };
    default:
      return { ...resource.attrs };
  }
}

function toolAttributes({ effect, tags, source, needs, clearance }: ToolAttributes): Record<string, Value> {
  const least = needs ?? (effect === 'irreversible' ? 'tool:trusted' : 'untrusted');
  const cleared = clearance ?? (effect === 'pure' ? ['internal'] : []);
  const outward = cleared !== 'all';
  return { effect, tags, source, needs: TRUST[least], outward, clearance: outward ? withImplied(cleared) : [] };
}

/** Who may learn secrets may learn what is internal. */
function withImplied(clearance: string[]): string[] {
  return mayFlow(['internal'], clearance) ? [...new Set([...clearance, 'internal'])] : clearance;
}

function contextOf({ action, context, resource }: PolicyRequest, schema: PolicySchema, interests: Interests) {
  const { tenant, approved, label = RESULT_LABEL, history, summands = {} } = context;
  const record: Record<string, Value> = { tenant };
  if (approved !== undefined) record.approved = approved;
  if (LABELLED_ACTIONS.includes(action)) Object.assign(record, labelRecord(label));
  if (action !== 'tool.call') return record;
  for (const span of ['run', 'session'] as const) {
    const asked = looksAt(interests.context, span);
    const known = (asked && history?.[span]) || NOTHING_DONE;
    record[span] = historyRecord(known, schema.sums, resource.id, asked ? summands : {});
  }
  return record;
}

function labelRecord({ integrity, confidentiality }: Label): Record<string, Value> {
  return {
    integrity,
    trust: TRUST[integrity],
    confidentiality,
    secrets: confidentiality.filter((name) => name !== 'internal'),
  };
}

function historyRecord(history: History, sums: string[], tool: string, summands: Record<string, number>) {
  const { calls, effects, tools, collections } = history;
  const whole = (values: Record<string, number>) =>
    Object.fromEntries(sums.map((name) => [name, Object.hasOwn(values, name) ? Math.ceil(values[name]!) : 0]));
  return {
    calls,
    effects,
    sameTool: Object.hasOwn(tools, tool) ? tools[tool]! : 0,
    tools: Object.keys(tools),
    collections,
    sums: whole(history.sums),
    sumsWithCall: whole(added(history.sums, summands, 1)),
  };
}

function encoded(attributes: PolicyAttributes | undefined): Record<string, Value> {
  if (!attributes) return {};
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, encodedValue(value)]));
}

function encodedValue(value: PolicyAttributes[string]): Value {
  return typeof value === 'object' && !Array.isArray(value) ? { __entity: value } : value;
}

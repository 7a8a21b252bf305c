/** A call as an HTTP request: where each argument goes. Pure. Nothing that a model says can leave the operation's path. */
import type { ArgumentPlace, Operation, ParameterPlace } from './operations.ts';

/** The arguments cannot be sent; the message is for the model. */
export class UnsendableArgument extends Error {
  override name = 'UnsendableArgument';
}

export interface HttpRequest {
  url: URL;
  method: string;
  headers: [string, string][];
  body: string | undefined;
}

export function buildRequest(base: URL, operation: Operation, args: Record<string, unknown>): HttpRequest {
  const byPlace = [...operation.places].flatMap(([argument, place]) => {
    const value = args[argument];
    return value === undefined || (value === null && place.in !== 'body') ? [] : [{ place, value }];
  });
  const url = new URL(base);
  // Some documents tell operations of one path apart by a fixed query.
  const [path = '', fixed] = operation.path.split('?');
  url.pathname = base.pathname.replace(/\/$/, '') + pathOf(path, byPlace);
  for (const [name, value] of new URLSearchParams(fixed)) url.searchParams.append(name, value);
  const headers: [string, string][] = [];
  for (const { place, value } of byPlace) {
    if (place.in === 'query') addQuery(url.searchParams, place, value);
    if (place.in === 'header') headers.push([place.name, headerValue(place, value)]);
  }
  const body = bodyOf(operation, byPlace);
  if (body !== undefined)
    headers.push([
      'content-type',
      operation.body === 'form' ? 'application/x-www-form-urlencoded' : 'application/json',
    ]);
  return { url, method: operation.method, headers, body };
}

type Placed = { place: ArgumentPlace; value: unknown };

function pathOf(template: string, placed: Placed[]): string {
  return template.replace(/\{([^}]+)\}/g, (_all, name: string) => {
    const value = placed.find(({ place }) => place.in === 'path' && place.name === name)?.value;
    const text = Array.isArray(value) ? value.map(scalar).join(',') : scalar(value ?? '');
    // "." and ".." change the path even when they are percent-encoded.
    if (text === '' || text === '.' || text === '..')
      throw new UnsendableArgument(`${name} must not be empty, "." or ".."`);
    return encodeURIComponent(text);
  });
}

function addQuery(query: URLSearchParams, place: ParameterPlace, value: unknown): void {
  if (Array.isArray(value)) {
    if (!place.explode) return query.append(place.name, value.map(scalar).join(','));
    for (const item of value) query.append(place.name, scalar(item));
    return;
  }
  if (value !== null && typeof value === 'object' && place.deep) {
    for (const [key, item] of Object.entries(value)) query.append(`${place.name}[${key}]`, scalar(item));
    return;
  }
  query.append(place.name, scalar(value));
}

function headerValue(place: ParameterPlace, value: unknown): string {
  const text = Array.isArray(value) ? value.map(scalar).join(',') : scalar(value);
  if (/[^\t\x20-\x7e]/.test(text))
    throw new UnsendableArgument(`${place.name} may only hold printable ASCII characters`);
  return text;
}

function scalar(value: unknown): string {
  return value !== null && typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function bodyOf(operation: Operation, placed: Placed[]): string | undefined {
  const inBody = placed.filter(({ place }) => place.in === 'body');
  if (operation.body === undefined || inBody.length === 0) return undefined;
  const whole = inBody.find(({ place }) => place.in === 'body' && place.kind === 'whole');
  const data = whole ? whole.value : Object.fromEntries(inBody.map(({ place, value }) => [place.name, value]));
  if (operation.body === 'json') return JSON.stringify(data);
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries((data ?? {}) as Record<string, unknown>))
    addQuery(form, { in: 'query', name, explode: true, deep: false }, value);
  return form.toString();
}

/** Checks what came in against its zod schema, and names the field that is wrong. */
import { describeZodError, type RunId, TuttiError } from '@tutti/contracts';
import type { z } from 'zod';
import { RequestProblem } from '../core/errors.ts';

export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, where = 'body'): z.output<Schema> {
  if (value === undefined || value === null) throw new RequestProblem(where, 'is missing; send JSON');
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const param = parsed.error.issues[0]?.path.join('.') || where;
  const problem = new RequestProblem(param, '');
  problem.message = describeZodError(parsed.error);
  throw problem;
}

const SHOWN_CHARS = 80;
/** An id from a path. One of another form cannot exist, so it is not found. */
export function parseId(schema: typeof RunId, value: string, what: string): string {
  if (schema.safeParse(value).success) return value;
  throw notFound(what, value);
}

export function notFound(what: string, id: string): TuttiError {
  return new TuttiError('not_found', `there is no ${what} "${id.slice(0, SHOWN_CHARS)}"`);
}

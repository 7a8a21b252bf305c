/**
 * Reads the parameters of a request, strictly: what is unknown, missing or malformed is refused with a message that
 * names the field and says what it should be. Query values arrive as text, body values as JSON.
 */
import { isDate } from '../lib/zone.ts';
import { invalid } from './errors.ts';
import { LIMITS } from './limits.ts';

export class Fields {
  private readonly values: Record<string, unknown>;

  constructor(values: Record<string, unknown>, known: readonly string[]) {
    this.values = values;
    const unknown = Object.keys(values).filter((name) => !known.includes(name));
    if (unknown.length > 0) throw invalid(`${unknown.join(', ')}: not known here. Known are ${known.join(', ')}.`);
  }

  text(name: string, charsMax: number = LIMITS.nameCharsMax): string {
    const value = this.optionalText(name, charsMax);
    if (value === undefined) throw invalid(`${name}: is missing.`);
    return value;
  }

  optionalText(name: string, charsMax: number = LIMITS.nameCharsMax): string | undefined {
    const value = this.values[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'string' || value.trim() === '') throw invalid(`${name}: must be a text that is not empty.`);
    if (value.length > charsMax) throw invalid(`${name}: must have at most ${charsMax} characters.`);
    return value.trim();
  }

  date(name: string): string {
    const value = this.optionalDate(name);
    if (value === undefined) throw invalid(`${name}: is missing; give a date as YYYY-MM-DD.`);
    return value;
  }

  optionalDate(name: string): string | undefined {
    const value = this.optionalText(name);
    if (value !== undefined && !isDate(value)) throw invalid(`${name}: "${value}" is no date; write YYYY-MM-DD.`);
    return value;
  }

  integer(name: string, fallback: number, max: number): number {
    const value = this.optionalNumber(name);
    if (value === undefined) return fallback;
    if (!Number.isInteger(value) || value < 1 || value > max) {
      throw invalid(`${name}: must be a whole number from 1 to ${max}.`);
    }
    return value;
  }

  /** A number above zero. */
  optionalNumber(name: string): number | undefined {
    const raw = this.values[name];
    if (raw === undefined || raw === null) return undefined;
    const value = typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : raw;
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
      throw invalid(`${name}: must be a number above 0.`);
    }
    return value;
  }

  optionalChoice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.optionalText(name);
    if (value === undefined) return undefined;
    if (!choices.includes(value as T)) throw invalid(`${name}: must be one of ${choices.join(', ')}.`);
    return value as T;
  }
}

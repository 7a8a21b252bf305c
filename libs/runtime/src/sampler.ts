/**
 * Which traces are recorded, for whoever begins one: OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG as OpenTelemetry has
 * them. Whoever goes on with a trace heeds what was decided (that is the `parentbased_` of all of them).
 */
import { TuttiError } from '@tutti/contracts';

export type Sampler = (traceId: string) => boolean;

/** Hex digits of the trace id that decide: a number that a double holds. */
const DIGITS = 12;

/** Throws `invalid_request` for a sampler that is not known. */
export function createSampler(environment: Record<string, string | undefined>): Sampler {
  const name = (environment.OTEL_TRACES_SAMPLER || 'parentbased_always_on').replace(/^parentbased_/, '');
  switch (name) {
    case 'always_on':
      return () => true;
    case 'always_off':
      return () => false;
    case 'traceidratio':
      return byRatio(environment.OTEL_TRACES_SAMPLER_ARG);
    default:
      throw new TuttiError(
        'invalid_request',
        `OTEL_TRACES_SAMPLER is "${name}"; it may be always_on, always_off or traceidratio, with or without parentbased_`,
      );
  }
}

function byRatio(argument: string | undefined): Sampler {
  const ratio = argument === undefined || argument === '' ? 1 : Number(argument);
  if (!(ratio >= 0 && ratio <= 1))
    throw new TuttiError('invalid_request', `OTEL_TRACES_SAMPLER_ARG is "${argument}"; it must be from 0 to 1`);
  const below = ratio * 16 ** DIGITS;
  // The last digits, as other SDKs do: the first ones may hold a time.
  return (traceId) => Number.parseInt(traceId.slice(-DIGITS), 16) < below;
}

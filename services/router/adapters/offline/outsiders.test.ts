/** Toolsets and goals of strangers: what is asked for is done, nothing else is, and what is missing is asked for. */
import { describe, expect, it } from 'vitest';
import { dangers } from './testing/outsiders/dangers.ts';
import { problemsOf } from './testing/outsiders/domain.ts';
import { offices } from './testing/outsiders/offices.ts';
import { places } from './testing/outsiders/places.ts';
import { things } from './testing/outsiders/things.ts';

describe.each([...offices, ...places, ...things, ...dangers].map((domain) => [domain.name, domain] as const))(
  '%s',
  (_, domain) => {
    it.each(
      domain.goals.map(
        (goal) =>
          [`${[goal.say].flat().join(' | ')}${goal.world ? ` ${JSON.stringify(goal.world)}` : ''}`, goal] as const,
      ),
    )('%s', (_, goal) => {
      expect(problemsOf(domain, goal)).toEqual([]);
    });
  },
);

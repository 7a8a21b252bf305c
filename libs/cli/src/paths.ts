/** Where this copy of Tutti is. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
export const EXAMPLE_BUNDLE = join(REPOSITORY, 'examples', 'travel');

import { runService } from '@tutti/runtime';
import { retrieverService } from './service.ts';

await runService(retrieverService);

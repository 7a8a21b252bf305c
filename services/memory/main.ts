/** Runs the memory service alone. Wiring only. */
import { runService } from '@tutti/runtime';
import { memoryService } from './service.ts';

await runService(memoryService);

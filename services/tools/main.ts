import { runService } from '@tutti/runtime';
import { toolsService } from './service.ts';

await runService(toolsService);

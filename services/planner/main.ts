import { runService } from '@tutti/runtime';
import { plannerService } from './service.ts';

await runService(plannerService);

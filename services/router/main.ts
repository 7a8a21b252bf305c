import { runService } from '@tutti/runtime';
import { routerService } from './service.ts';

await runService(routerService);

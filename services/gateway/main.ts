/** The gateway as a process of its own. */
import { runService } from '@tutti/runtime';
import { gatewayService } from './service.ts';

await runService(gatewayService);

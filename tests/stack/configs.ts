/** What the code itself says about its processes: which variables each understands, and which metrics each tells. */
import { SERVICES, type ServiceName } from '@tutti/contracts';
import { gatewayService } from '@tutti/gateway';
import { memoryService } from '@tutti/memory';
import { plannerService } from '@tutti/planner';
import { retrieverService } from '@tutti/retriever';
import { routerService } from '@tutti/router';
import { METRIC, parseConfig, RuntimeConfig, type ServiceDefinition } from '@tutti/runtime';
import { toolsService } from '@tutti/tools';
import { prometheusLabel, prometheusName } from '../../libs/runtime/src/metric-names.ts';

const DEFINITIONS = {
  gateway: gatewayService,
  planner: plannerService,
  memory: memoryService,
  retriever: retrieverService,
  tools: toolsService,
  router: routerService,
} as unknown as Record<ServiceName, ServiceDefinition>;

/** Read by what is not ours: the OpenTelemetry SDK. And what a bundle's tool sources stand for. */
const OTHERS = /^(OTEL_[A-Z_]+|TUTTI_VAR_[A-Z0-9_]+)$/;

export const isService = (name: string): name is ServiceName => (SERVICES as readonly string[]).includes(name);

interface Schema {
  shape?: Record<string, unknown>;
  in?: Schema;
}

function variablesOf(schema: Schema): string[] {
  return schema.shape ? Object.keys(schema.shape) : variablesOf(schema.in!);
}

/** What is wrong with a service's environment, or with that of a job on the bus: unknown names, and values that it would refuse. */
export function problemsOf(name: ServiceName | 'provision', env: Record<string, string>): string[] {
  const own = isService(name) ? [DEFINITIONS[name].config as unknown as Schema] : [];
  const known = [RuntimeConfig as unknown as Schema, ...own].flatMap(variablesOf);
  const unknown = Object.keys(env).filter((variable) => !known.includes(variable) && !OTHERS.test(variable));
  const wrong = [RuntimeConfig, ...(isService(name) ? [DEFINITIONS[name].config] : [])].flatMap((schema) => {
    try {
      parseConfig(schema, env, name);
      return [];
    } catch (error) {
      return [(error as Error).message];
    }
  });
  return [...unknown.map((variable) => `${name} knows no ${variable}`), ...wrong];
}

/** Names of what services tell at /metrics, and by which labels. That each is really told is the matter of tests/tidy. */
export function metricLabels(): Map<string, readonly string[]> {
  return new Map(Object.values(METRIC).map((spec) => [prometheusName(spec), spec.labels.map(prometheusLabel)]));
}

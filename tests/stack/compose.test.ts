/** docker-compose.yml, the image and the chart say the same about services as the code does. No container is started here: `npm run compose` does that. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES } from '@tutti/contracts';
import { repositoryRoot } from '@tutti/testkit';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { createProgram } from '../../libs/cli/src/program.ts';
import { IMAGES } from '../cluster/engine.ts';
import { isService, problemsOf } from './configs.ts';

interface Service {
  image?: string;
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string | null>;
  read_only?: boolean;
  cap_drop?: string[];
  ports?: string[];
  profiles?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
}

const read = (file: string) => readFileSync(join(repositoryRoot, file), 'utf8');
/** As Compose fills them in where nothing is set, or with `given`. */
function compose(given: Record<string, string> = {}): Record<string, Service> {
  const text = read('docker-compose.yml').replace(
    /\$\{(\w+):-([^}]*)\}/g,
    (_, name, byDefault) => given[name] ?? byDefault,
  );
  return (parse(text, { merge: true }) as { services: Record<string, Service> }).services;
}
const cluster = Object.fromEntries(
  [...read('deploy/compose/cluster.env').matchAll(/^([A-Z_]+)=(.*)$/gm)].map((match) => [match[1]!, match[2]!]),
);
const strings = (environment: Service['environment'] = {}) =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, value ?? '']));

test.each([
  ['by default', {}],
  ['with three NATS nodes', cluster],
])('%s every service gets what its own schema knows', (_, given) => {
  const services = compose(given);
  for (const name of SERVICES) {
    const { command, environment } = services[name]!;
    expect(command).toEqual([name]);
    expect(problemsOf(name, strings(environment))).toEqual([]);
    expect(environment).toMatchObject({ TUTTI_PROVISION: 'false', TUTTI_HEALTH_PORT: '8081' });
  }
  expect(problemsOf('provision', strings(services.provision!.environment))).toEqual([]);
  expect(services.gateway!.environment).toMatchObject({ TUTTI_PORT: '8080' });
});

test('the start waits for health, and for the provisioning of the bus', () => {
  const services = compose();
  for (const name of SERVICES.filter((each) => each !== 'gateway'))
    expect(services[name]!.depends_on!.provision).toEqual({ condition: 'service_completed_successfully' });
  for (const name of SERVICES) expect(services[name]!.healthcheck!.test).toEqual(['CMD', '/tutti/deploy/healthcheck']);
  for (const [name, { depends_on = {} }] of Object.entries(services))
    for (const [needed, { condition }] of Object.entries(depends_on)) {
      expect(Object.keys(services), `${name} needs ${needed}`).toContain(needed);
      if (condition === 'service_healthy') expect(services[needed]!.healthcheck, needed).toBeDefined();
    }
});

test('our containers can write nothing but their volumes, and nothing listens beyond this machine', () => {
  for (const [name, service] of Object.entries(compose())) {
    for (const port of service.ports ?? []) expect(port, name).toMatch(/^127\.0\.0\.1:/);
    if (!service.image!.startsWith('tutti:')) continue;
    expect(service, name).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
  }
});

test('commands are ones that the image has, and images are those that are proven', () => {
  const commands = createProgram(() => {}).commands.map((command) => command.name());
  for (const [name, { image, command, entrypoint }] of Object.entries(compose())) {
    if (!image!.startsWith('tutti:')) {
      expect(Object.values(IMAGES), name).toContain(image);
      continue;
    }
    if (entrypoint) {
      if (entrypoint[0] === 'node') expect(existsSync(join(repositoryRoot, entrypoint[1]!)), entrypoint[1]).toBe(true);
      continue;
    }
    const [first] = command!;
    if (!isService(first!)) expect(commands, name).toContain(first);
  }
});

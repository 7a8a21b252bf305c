/** Kubernetes objects as far as the tests look at them. */

type Labels = Record<string, string>;
interface Probe {
  httpGet?: { path: string; port: string };
}
export interface Container {
  name: string;
  image: string;
  args?: string[];
  command?: string[];
  env?: { name: string; value?: string; valueFrom?: { secretKeyRef?: { name: string; key: string } } }[];
  ports?: { name: string; containerPort: number }[];
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  lifecycle?: { preStop: { sleep: { seconds: number } } };
  securityContext?: object;
}
interface PodSpec {
  containers: Container[];
  automountServiceAccountToken?: boolean;
  securityContext?: object;
  topologySpreadConstraints?: object[];
  terminationGracePeriodSeconds?: number;
  volumes?: { name: string; configMap?: { items?: { key: string; path: string }[] } }[];
}
interface Peer {
  podSelector: { matchLabels: Labels };
}
/** Of all kinds together: each has some of it. */
export interface Rendered {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels: Labels; annotations?: Labels };
  data?: Labels;
  binaryData?: Labels;
  spec: PodSpec & {
    replicas?: number;
    strategy: { rollingUpdate: object };
    selector: { matchLabels: Labels };
    template: { metadata: { labels: Labels }; spec: PodSpec };
    scaleTargetRef: { name: string };
    podSelector: { matchLabels?: Labels; matchExpressions?: { key: string; values: string[] }[] };
    policyTypes?: string[];
    ingress?: { from?: Peer[] }[];
    egress?: { ports?: { port: number }[] }[];
  };
}

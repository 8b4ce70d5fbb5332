/** Nodes and images for tests, complete but for what a test is about. */
import type { Image, Node, Registry } from '@walt/contract';

export const fakeDigest = `sha256:${'ab'.repeat(32)}`;

export function makeNode(name: string, changes: Partial<Node> = {}): Node {
  return {
    name,
    mac: '52:54:00:12:34:56',
    ip: '10.73.0.2',
    type: 'virtual',
    model: 'pc-x86-64',
    architecture: 'amd64',
    image: 'alice/debian',
    owner: 'alice',
    state: 'booted',
    running: fakeDigest,
    current: true,
    bootPlan: 'volumes',
    since: 1_790_000_000,
    cpuCores: 2,
    ramMiB: 1024,
    ...changes,
  };
}

export function makeImage(owner: string, name: string, changes: Partial<Image> = {}): Image {
  return {
    fullName: `${owner}/${name}`,
    owner,
    name,
    digest: fakeDigest,
    architecture: 'amd64',
    created: 1_790_000_000,
    size: 409_000_000,
    layers: 2,
    kernel: '6.1.0-30-cloud-amd64',
    bootPlan: 'volumes',
    models: ['pc-x86-64'],
    lends: [],
    nodes: [],
    session: false,
    ...changes,
  };
}

export function makeRegistry(label: string, more: Partial<Registry> = {}): Registry {
  return {
    ...{ label, kind: 'docker-registry-v2', host: `${label}.example`, protocol: 'https' },
    ...{ description: '', username: null, ...more },
  };
}

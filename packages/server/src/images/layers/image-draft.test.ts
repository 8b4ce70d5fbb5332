import assert from 'node:assert/strict';
import { test } from 'node:test';
import { draftImage } from './image-draft.ts';
import { sha256 } from './oci-manifest.ts';

const layer = { digest: `sha256:${'3'.repeat(64)}`, size: 30 };
const below = [{ digest: `sha256:${'1'.repeat(64)}`, size: 10 }];
const config = { Env: ['A=b'], Healthcheck: { Test: ['NONE'] } };
const configuration = JSON.stringify({
  ...{
    created: 'then',
    architecture: 'arm',
    variant: 'v7',
    os: 'linux',
    config,
    container_config: {},
    parent: 'x',
  },
  rootfs: { type: 'layers', diff_ids: [below[0]?.digest] },
  history: [{ created_by: 'first' }],
});
const OCI = 'application/vnd.oci.image.manifest.v1+json';
const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const manifestOf = (mediaType: string) =>
  JSON.stringify({
    ...{
      schemaVersion: 2,
      mediaType,
      config: { mediaType: 'config-type', digest: 'old', size: 1 },
      layers: [],
    },
    annotations: { 'org.opencontainers.image.base.name': 'debian', note: 'kept' },
  });

for (const [mediaType, layerType] of [
  [OCI, 'application/vnd.oci.image.layer.v1.tar'],
  [DOCKER, 'application/vnd.docker.image.rootfs.diff.tar'],
] as const) {
  test(`the type stays ${mediaType}, and the configuration with it`, () => {
    const origin = { manifest: manifestOf(mediaType), configuration };
    for (const mode of ['add', 'replace'] as const) {
      const draft = draftImage(origin, { mode, below, layer, created: 'now', createdBy: 'us' });
      const layers = mode === 'add' ? [...below, layer] : [layer];
      assert.deepEqual(JSON.parse(draft.configuration), {
        ...{ created: 'now', architecture: 'arm', variant: 'v7', os: 'linux', config },
        rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
        history: [...(mode === 'add' ? [{ created_by: 'first' }] : []), { created: 'now', created_by: 'us' }],
      });
      assert.equal(draft.digest, sha256(draft.configuration));
      assert.deepEqual(JSON.parse(draft.manifest), {
        ...{ schemaVersion: 2, mediaType, annotations: { note: 'kept' } },
        config: {
          mediaType: 'config-type',
          digest: draft.digest,
          size: Buffer.byteLength(draft.configuration),
        },
        layers: layers.map((one) => ({ mediaType: layerType, ...one })),
      });
    }
  });
}

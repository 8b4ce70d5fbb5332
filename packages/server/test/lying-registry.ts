/** A registry that does not keep the protocol: a small HTTP server that serves one image, and lies where it is told to. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

export interface Blob {
  digest: string;
  data: Buffer;
}

/** Answers a request otherwise than an honest registry would; false where it has no wish to. */
export type Lie = (path: string, response: ServerResponse, blobs: ReadonlyMap<string, Buffer>) => boolean;

/** An image that a test makes up; what it leaves out is as it should be. */
export interface MadeUp {
  /** Layers as they are before packing, bottom first. */
  tars: readonly Buffer[];
  /** What the configuration says of them. */
  diffIds?: readonly string[];
  /** More of the configuration. */
  configuration?: Readonly<Record<string, unknown>>;
  /** More of each layer's descriptor. */
  descriptor?: Readonly<Record<string, unknown>>;
}

export interface LyingRegistry extends AsyncDisposable {
  host: string;
  /** Serves `exp:TAG` from now on. Answers the digest of its configuration. */
  add(tag: string, image: MadeUp): string;
  /** Diff IDs of the image, and its blobs as they travel; bottom first. */
  layers: { diffId: string; blob: string }[];
  /** Digest of the image's configuration. */
  image: string;
  manifest: string;
  /** Digests of the blobs that were asked for, in their order. */
  readonly asked: string[];
  /** Set by a test, for its time. */
  lie: Lie | undefined;
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

/**
 * Serves `exp:v1`: an image with one layer per entry of `texts`, each with one file. `platform` goes into its configuration.
 * `exp:many` is an index of that image and one for arm64 that is missing.
 */
export async function startLyingRegistry(
  texts: readonly string[],
  platform = { architecture: 'amd64', os: 'linux' },
): Promise<LyingRegistry> {
  const blobs = new Map<string, Buffer>();
  const add = (data: Buffer) => {
    const digest = digestOf(data);
    blobs.set(digest, data);
    return { digest, size: data.length };
  };
  const tags: Record<string, string> = {};
  const types: Record<string, string> = {};
  const type = (kind: string) => `application/vnd.oci.image.${kind}`;
  const addImage = (tag: string, image: MadeUp) => {
    const layers = image.tars.map((tar) => ({ diffId: digestOf(tar), ...add(gzipSync(tar)) }));
    const diffIds = image.diffIds ?? layers.map(({ diffId }) => diffId);
    const more = { ...platform, created: '2026-01-01T00:00:00Z', config: {}, ...image.configuration };
    const rootfs = { type: 'layers', diff_ids: diffIds };
    const config = add(Buffer.from(JSON.stringify({ ...more, rootfs })));
    const manifest = add(
      Buffer.from(
        JSON.stringify({
          ...{ schemaVersion: 2, mediaType: MANIFEST },
          config: { mediaType: type('config.v1+json'), ...config },
          layers: layers.map(({ digest, size }) => ({
            ...{ mediaType: type('layer.v1.tar+gzip'), digest, size, ...image.descriptor },
          })),
        }),
      ),
    );
    tags[tag] = manifest.digest;
    types[manifest.digest] = MANIFEST;
    return { config, manifest, layers };
  };
  const tars = await Promise.all(texts.map((text, index) => tarOf([{ name: `file${index}`, text }])));
  const { config, manifest, layers } = addImage('v1', { tars });
  const missing = { digest: `sha256:${'0'.repeat(64)}`, size: 1 };
  const index = add(
    Buffer.from(
      JSON.stringify({
        ...{ schemaVersion: 2, mediaType: INDEX },
        manifests: [
          { mediaType: MANIFEST, ...missing, platform: { architecture: 'arm64', os: 'linux' } },
          { mediaType: MANIFEST, ...manifest, platform },
        ],
      }),
    ),
  );
  tags.many = index.digest;
  types[index.digest] = INDEX;
  const asked: string[] = [];
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '';
    const blob = /^\/v2\/exp\/blobs\/(sha256:\w+)$/.exec(path)?.[1];
    if (blob !== undefined) asked.push(blob);
    if (registry.lie?.(path, response, blobs)) return;
    const wanted = /^\/v2\/exp\/(?:blobs|manifests)\/(\S+)$/.exec(path)?.[1];
    const digest = tags[wanted ?? ''] ?? wanted ?? '';
    const data = path === '/v2/' ? Buffer.from('{}') : blobs.get(digest);
    if (data === undefined) {
      response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
      return;
    }
    const contentType = types[digest] ?? 'application/octet-stream';
    response.writeHead(200, { 'content-type': contentType, 'content-length': data.length }).end(data);
  };
  const server = createServer(handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const registry: LyingRegistry = {
    ...{ host: `127.0.0.1:${address.port}`, image: config.digest, manifest: manifest.digest, asked },
    layers: layers.map(({ diffId, digest }) => ({ diffId, blob: digest })),
    add: (tag, image) => addImage(tag, image).config.digest,
    lie: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return registry;
}

export function digestOf(data: Buffer): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

/** An entry of a layer, as tar-stream's headers name its parts. */
export type LayerEntry = Partial<Header> & { name: string; text?: string };

export async function tarOf(entries: readonly LayerEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { text = '', ...header } of entries) tar.entry({ mtime: new Date(0), ...header }, text);
  tar.finalize();
  return Buffer.concat(await Array.fromAsync(tar as AsyncIterable<Buffer>));
}

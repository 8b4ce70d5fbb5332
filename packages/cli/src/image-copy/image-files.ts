/** The server's tar interface to files of images (contract, `imageFiles`). */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { imageFiles } from '@walt/contract';
import type { Header } from 'tar-stream';
import type { Connection } from '../client.ts';
import { AbortError, hasCode, isRecord } from '../errors.ts';
import { readText, sendAs } from '../transport.ts';
import { visitEntries } from './tar-entries.ts';

const PATH: (typeof imageFiles)['path'] = '/image-files';

export interface ImagePlace {
  image: string;
  /** Absolute. */
  path: string;
}

export interface ImageWritten {
  image: string;
  digest: string;
  /** Nodes that boot this image's name and still run an older version. */
  nodes: string[];
}

/** A tar of what is at that place; its first entry is the place itself. Throws NOT_FOUND. */
export async function readFromImage(connection: Connection, place: ImagePlace): Promise<IncomingMessage> {
  const response = await sendAs(connection.socket, connection.credentials, {
    method: 'GET',
    path: `${PATH}?${new URLSearchParams({ ...place })}`,
    headers: {},
  });
  if (response.statusCode === 200) return response;
  throw await responseError(response);
}

/** Unpacks the tar in an existing folder of the image, which makes a new version of it. */
export async function writeToImage(
  connection: Connection,
  folder: ImagePlace,
  tar: Readable,
): Promise<ImageWritten> {
  // The body goes out once: a token that has run out must show before.
  await connection.client.server.status();
  const response = await sendAs(connection.socket, connection.credentials, {
    method: 'PUT',
    path: `${PATH}?${new URLSearchParams({ ...folder })}`,
    headers: { 'content-type': 'application/x-tar' },
    body: tar,
  });
  if (response.statusCode !== 200) throw await responseError(response);
  return JSON.parse(await readText(response)) as ImageWritten;
}

/** What is there: the kind of a tar's first entry; undefined for nothing. */
export async function kindInImage(
  connection: Connection,
  place: ImagePlace,
): Promise<Header['type'] | undefined> {
  try {
    const response = await readFromImage(connection, place);
    try {
      return await firstKind(response);
    } finally {
      response.destroy();
    }
  } catch (error) {
    // Only the path may be missing: a missing image must show as such.
    if (!hasCode(error, 'NOT_FOUND')) throw error;
    await connection.client.image.get({ image: place.image });
    return undefined;
  }
}

async function firstKind(tar: Readable): Promise<Header['type']> {
  let kind: Header['type'] | undefined;
  await visitEntries(tar, async ({ header }, stop) => {
    kind = header.type;
    stop();
  });
  if (kind !== undefined) return kind;
  throw new AbortError('EXTERNAL', 'The server sent an empty archive.', 'Repeat the command.');
}

async function responseError(response: IncomingMessage): Promise<Error> {
  const text = await readText(response);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (!isRecord(body) || typeof body.code !== 'string') {
    return new Error(`the server answered ${response.statusCode}: ${text.slice(0, 200)}`);
  }
  const hint = isRecord(body.data) && typeof body.data.hint === 'string' ? body.data.hint : '';
  return new AbortError(body.code, String(body.message), hint);
}

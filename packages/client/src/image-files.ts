/** The server's tar interface to files of images (contract, `imageFiles`). */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { FileKind, ImageWritten } from '@walt/contract';
import { IMAGE_FILES } from '@walt/contract/values/wire';
import type { Connection } from './connection.ts';
import { parseRecord, readText, responseError, sendAs } from './transport.ts';

export interface ImagePlace {
  image: string;
  /** Absolute. */
  path: string;
}

export type { ImageWritten };

/** A tar of what is at that place, with one entry at its top. Throws NOT_FOUND. */
export async function readFromImage(connection: Connection, place: ImagePlace): Promise<IncomingMessage> {
  const response = await sendAs(connection.route, connection.credentials, {
    method: 'GET',
    path: `${IMAGE_FILES}?${new URLSearchParams({ ...place })}`,
    headers: {},
  });
  if (response.statusCode === 200) return response;
  throw await responseError(response, connection.route);
}

/** Unpacks the tar in a folder of the image, or as a new file or folder there, which makes a new version of it. */
export async function writeToImage(
  connection: Connection,
  place: ImagePlace,
  tar: Readable,
): Promise<ImageWritten> {
  // The body goes out once: a token that has run out must show before.
  await connection.client.server.status();
  try {
    const response = await sendAs(connection.route, connection.credentials, {
      method: 'PUT',
      path: `${IMAGE_FILES}?${new URLSearchParams({ ...place })}`,
      headers: { 'content-type': 'application/x-tar' },
      body: tar,
    });
    if (response.statusCode !== 200) throw await responseError(response, connection.route);
    return parseRecord(await readText(response), connection.route) as unknown as ImageWritten;
  } finally {
    // After a refusal, nobody reads the rest: whoever makes the tar must not wait for that.
    tar.destroy();
  }
}

/** What is there, links followed; null: nothing. Throws NOT_FOUND when there is no such image. */
export async function kindInImage(connection: Connection, place: ImagePlace): Promise<FileKind['kind']> {
  const response = await sendAs(connection.route, connection.credentials, {
    method: 'GET',
    path: `${IMAGE_FILES}?${new URLSearchParams({ ...place, only: 'kind' })}`,
    headers: {},
  });
  if (response.statusCode !== 200) throw await responseError(response, connection.route);
  return (parseRecord(await readText(response), connection.route) as unknown as FileKind).kind;
}

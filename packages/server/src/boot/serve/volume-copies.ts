/** What hosts that keep copies of volumes ask by HTTP. Each proves by a secret, which its job has, that it is one. */
import { join } from 'node:path';
import { HashTree, type Paths, sendText, sizeWithTree, streamOf } from '../../platform/index.ts';
import { type Download, openDownload } from '../boot-files.ts';
import { bodyOf, type Question, sendFile } from './questions.ts';

/** The part of nodes/ that they talk to. */
export interface VolumeCopies {
  /** Whether somebody with that address and secret is one of them. */
  knows(ip: string, token: string): boolean;
  /** Takes what one has, and answers what it is to do. */
  report(ip: string, text: string): Promise<string>;
}

export interface CopiesDeps {
  copies: VolumeCopies;
  paths: Pick<Paths, 'volumes'>;
}

/** Bytes of a report: some thousand copies. */
const MAX_REPORT = 512 * 1024;

const VOLUME = /^[a-z0-9-]{1,120}\.erofs$/;

export async function answerReport({ copies }: CopiesDeps, question: Question): Promise<void> {
  const { ip, request, response } = question;
  if (!isKnown(copies, question)) return;
  const answer = await copies.report(ip, await bodyOf(request, MAX_REPORT));
  if (!response.destroyed) sendText(response, 200, answer);
}

/** With its hash tree behind it, as dm-verity reads it. */
export async function sendVolume({ copies, paths }: CopiesDeps, question: Question): Promise<void> {
  if (!isKnown(copies, question)) return;
  const name = question.url.searchParams.get('name') ?? '';
  const file = VOLUME.test(name) ? await openDownload(join(paths.volumes, name)) : undefined;
  if (file) await sendFile(question, await withTree(file));
  else sendText(question.response, 404, 'no such volume');
}

/** Nobody keeps the tree here: it is made anew of what is sent. */
async function withTree({ size, content }: Download): Promise<Download> {
  return { size: sizeWithTree(size), content: await streamOf(provable(content)) };
}

async function* provable(content: Download['content']): AsyncGenerator<Uint8Array, void> {
  const tree = new HashTree();
  for await (const bytes of content) {
    tree.add(bytes);
    yield bytes;
  }
  const { tail } = tree.end();
  if (tail.length > 0) yield tail;
}

function isKnown(copies: VolumeCopies, { ip, request, response }: Question): boolean {
  const token = request.headers['x-walt-token'];
  const known = typeof token === 'string' && copies.knows(ip, token);
  if (!known) sendText(response, 403, 'wrong token');
  return known;
}

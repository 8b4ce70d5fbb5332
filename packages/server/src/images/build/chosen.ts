/**
 * Brings the files together that steps choose themselves (`--parents`, `--exclude`, `--checksum`), each in a folder that buildah then
 * copies from: what it does with them is as in any other COPY.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { ExternalError, hasErrno, isUserError, streamProgram } from '../../platform/index.ts';
import { bytesOf, textOf } from '../../trees/index.ts';
import { archive } from '../layers/index.ts';
import { endOfTar, padding, readTar, tarHeader } from '../layers/tar/index.ts';
import { imageId } from '../store/index.ts';
import { withoutList } from './attributes.ts';
import { FILES, globals } from './buildah.ts';
import type { Builder } from './builder.ts';
import { BadChoice, type Choice, type Picked, SourceTree, type TreeEntry, tooMuch } from './choice.ts';
import { Comparing } from './comparing.ts';
import { explainStep } from './complaints.ts';
import { INSIDE } from './confined.ts';
import {
  type BuildPlan,
  type Chosen,
  type Instruction,
  inLine,
  isChoosing,
  lineError,
  quoted,
  type Step,
  shownText,
  upTo,
  visitSteps,
  type WriteOptions,
  wordsOf,
  writeDockerfile,
} from './dockerfile/index.ts';

interface Task {
  builder: Builder;
  plan: BuildPlan;
  options: WriteOptions;
  /** Images of stages that were built for this. */
  stages: Map<number, string>;
  /** Of all steps. */
  comparing: Comparing;
  order: Order;
  /** Of the folder in which the files come together. */
  name: string;
}

interface Order extends Choice {
  step: Step;
  target: string;
  /** Of what ADD fetches: `sha256:HEX`. */
  checksum: string | undefined;
}

/** Bytes of a tree's listing, and entries of the tree: they are held in memory. */
const MAX_LISTING = 256 * 1024 ** 2;
const MAX_ENTRIES = 1_000_000;

/** What steps choose: by instruction, the folder that buildah copies from. Throws UserError that names the line. */
export async function chooseFiles(
  builder: Builder,
  plan: BuildPlan,
  options: WriteOptions,
): Promise<Map<Instruction, Chosen>> {
  const chosen = new Map<Instruction, Chosen>();
  const stages = new Map<number, string>();
  const comparing = new Comparing(tooMuch, builder.client.signal);
  for (const order of orders(plan, options)) {
    const { instruction } = order.step;
    const folder = `walt-files-${chosen.size}`;
    try {
      const task = { builder, plan, options: { ...options, chosen }, stages, comparing, order, name: folder };
      chosen.set(instruction, await (order.checksum === undefined ? copy(task) : fetch(task)));
    } catch (error) {
      if (!(error instanceof BadChoice)) throw error;
      throw lineError(plan.file, instruction.line, error.message, hintFor(order));
    }
  }
  return chosen;
}

function hintFor({ step, checksum }: Order): string {
  if (checksum !== undefined) return 'Write: ADD --checksum=sha256:DIGITS https://HOST/FILE TARGET';
  return step.source === undefined
    ? 'Paths are those of the folder that is built; what .dockerignore names is not there.'
    : 'Paths are those of the image or stage that is copied from.';
}

/** In the order of the Dockerfile, words expanded. */
function orders(plan: BuildPlan, options: WriteOptions): Order[] {
  const all: Order[] = [];
  visitSteps(plan, options, (step, values) => {
    const { instruction } = step;
    if (!isChoosing(instruction)) return;
    const { flags, rest } = instruction;
    const words = wordsOf(instruction.keyword, rest, plan.escaping);
    const expanded = words.map((word) => inLine(plan, instruction, word, values));
    const valuesOf = (name: string) =>
      flags.flatMap((flag) =>
        flag.startsWith(name) ? [inLine(plan, instruction, flag.slice(name.length), values)] : [],
      );
    all.push({
      step,
      sources: expanded.slice(0, -1),
      target: expanded.at(-1) ?? '',
      excludes: valuesOf('--exclude='),
      parents: flags.some((flag) => /^--parents(?:=true)?$/.test(flag)),
      checksum: valuesOf('--checksum=').at(-1),
    });
  });
  return all;
}

/** Mounts the tree of an image of the store, and runs the rest of the words in it. */
const IN_IMAGE = `set -eu
buildah="buildah ${globals().join(' ')}"
container=$($buildah from --pull=never -- "$1")
cd "$($buildah mount "$container")"
shift
"$@"
cd /
$buildah rm "$container" >/dev/null`;

/** Kind, path and target of a link, each with a zero byte behind it. */
const LISTING = ['find', '.', '-mindepth', '1', '-printf', '%y\\0%P\\0%l\\0'];

async function copy(task: Task): Promise<Chosen> {
  const { builder, comparing, order, name } = task;
  const image = await sourceImage(task);
  const context = join(builder.places.work, FILES.context);
  const listing =
    image === undefined
      ? streamProgram(LISTING, { cwd: context }).stdout
      : builder.confined(IN_IMAGE, [image, ...LISTING]);
  const entries = readListing(await gathered(listing));
  const { files, single } = await new SourceTree(entries, comparing).choose(order);
  const folder = join(builder.places.work, FILES.copies, name);
  await mkdir(folder, { recursive: true });
  if (files.length > 0) {
    const names = files.map(({ from }) => bytesOf(`./${from}`));
    await writeFile(join(folder, NAMES), Buffer.concat(names.flatMap((path) => [path, Buffer.of(0)])));
    const pack = [...PACKING, `--files-from=${join(INSIDE.work, FILES.copies, name, NAMES)}`];
    const tar =
      image === undefined
        ? archive(context, { names, recursive: false, signal: builder.client.signal })
        : builder.confined(IN_IMAGE, [image, ...pack]);
    await unpack(moved(tar, files), join(folder, TREE));
  } else await mkdir(join(folder, TREE));
  const [only] = files;
  return single && only
    ? { folder: name, sources: [`/${escapedGlob(textOf(only.to))}`], target: order.target }
    : { folder: name, sources: ['/'], target: asFolder(order.target) };
}

const NAMES = 'names';
/** What buildah copies from. */
export const TREE = 'tree';

const PACKING = [
  ...['tar', '--create', '--file=-', '--format=posix', '--no-recursion', '--numeric-owner'],
  ...['--xattrs', '--xattrs-include=*', '--xattrs-exclude=trusted.*', '--null', '--verbatim-files-from'],
];

/** The ID of the image that a step copies from; undefined: it is the folder that is built. A stage is built for it, once. */
async function sourceImage({ builder, plan, options, stages, order }: Task): Promise<string | undefined> {
  const { source } = order.step;
  if (source === undefined) return undefined;
  if (source.kind === 'image') return options.idOf(source.needed);
  const known = stages.get(source.index);
  if (known !== undefined) return known;
  const part = upTo(plan, source.index);
  const folders = [...(options.chosen?.values() ?? [])].map(({ folder }) => folder);
  const made = imageId(await builder.make(part, writeDockerfile(part, options), folders));
  stages.set(source.index, made);
  return made;
}

async function gathered(listing: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  let words = 0;
  for await (const chunk of listing) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_LISTING)
      throw new BadChoice(`the names that it chooses from have more than ${MAX_LISTING} bytes`);
    for (let at = chunk.indexOf(0); at >= 0; at = chunk.indexOf(0, at + 1)) words += 1;
    if (words > 3 * MAX_ENTRIES) throw new BadChoice(`it chooses from more than ${MAX_ENTRIES} files`);
  }
  return Buffer.concat(chunks);
}

function readListing(listing: Buffer): Map<string, TreeEntry> {
  const words = listing.toString('latin1').split('\0');
  const entries = new Map<string, TreeEntry>();
  for (let at = 0; at + 2 < words.length; at += 3) {
    const [letter, path = '', target = ''] = words.slice(at, at + 3);
    const kind = letter === 'd' ? 'folder' : letter === 'l' ? 'link' : 'other';
    entries.set(path, { kind, target });
  }
  return entries;
}

/** The archive with the names that its entries get. */
async function* moved(tar: AsyncIterable<Buffer>, files: readonly Picked[]): AsyncGenerator<Buffer> {
  const places = new Map<string, string[]>();
  for (const { from, to } of files) places.set(from, [...(places.get(from) ?? []), to]);
  const of = (path: string) => places.get(path.replace(/^\.\//, '').replace(/\/$/, '')) ?? [];
  for await (const { header: sent, content } of readTar(tar)) {
    const header = withoutList(sent);
    const [first, ...more] = of(header.path);
    if (first === undefined) continue;
    const target = header.type === 'hard-link' ? (of(header.target)[0] ?? '') : header.target;
    yield tarHeader({ ...header, path: first, target });
    yield* content;
    yield padding(header.size);
    for (const path of more) {
      const again =
        header.type === 'file' ? { type: 'hard-link' as const, target: first, size: 0 } : { target };
      yield tarHeader({ ...header, ...again, path });
    }
  }
  yield endOfTar();
}

/** Into a new folder. No entry lies below a link: `choose` has seen to that. */
async function unpack(tar: AsyncIterable<Buffer>, folder: string): Promise<void> {
  await mkdir(folder);
  const words = ['--extract', '--file=-', '--same-owner', '--same-permissions', '--numeric-owner'];
  const program = streamProgram(
    ['tar', ...words, '--delay-directory-restore', '--xattrs', '--xattrs-include=*', '--directory', folder],
    { stdin: 'pipe' },
  );
  program.stdout.resume();
  const sending = pipeline(tar, program.stdin).catch((error: Error) => {
    program.kill();
    throw error;
  });
  const [sent, ended] = await Promise.allSettled([sending, program.ended]);
  // Where tar ended before, it tells why; else, what it was to unpack broke off.
  const closed = sent.status === 'rejected' && hasErrno(sent.reason, 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE');
  if (sent.status === 'rejected' && !closed) {
    throw isUserError(sent.reason) ? new BadChoice(sent.reason.message.replace(/\.$/, '')) : sent.reason;
  }
  if (ended.status === 'rejected') throw ended.reason;
}

const FETCH = `set -eu
buildah="buildah ${globals().join(' ')}"
container=$($buildah from scratch)
$buildah add --quiet "$container" "$1" /file >&2
file=$($buildah mount "$container")/file
"$2" <"$file"
cp --preserve=timestamps -- "$file" "$3"
chmod 600 "$3"
$buildah rm "$container" >/dev/null`;

async function fetch({ builder, order, name: folder }: Task): Promise<Chosen> {
  const { sources, target, checksum = '', step } = order;
  const [url = ''] = sources;
  const [, algorithm = '', wanted = ''] = /^(sha256|sha512):([0-9a-f]+)$/.exec(checksum) ?? [];
  if (sources.length !== 1 || !/^https?:\/\/./.test(url)) {
    throw new BadChoice('--checksum is for one file that is fetched by http or https');
  }
  if (wanted.length !== { sha256: 64, sha512: 128 }[algorithm]) {
    throw new BadChoice(`${quoted(checksum)} is no checksum, such as sha256:… with 64 hexadecimal digits`);
  }
  const name = fileName(url);
  await mkdir(join(builder.places.work, FILES.copies, folder, TREE), { recursive: true });
  const file = join(INSIDE.work, FILES.copies, folder, TREE, name);
  let sum: string;
  try {
    const [first = ''] = (await text(builder.confined(FETCH, [url, `${algorithm}sum`, file]))).split(' ');
    sum = first;
  } catch (error) {
    if (!(error instanceof ExternalError)) throw error;
    throw new BadChoice(`${shownText(step.instruction)}: ${explainStep(error.output)}`);
  }
  if (sum !== wanted) throw new BadChoice(`${quoted(url)} has another checksum: ${algorithm}:${sum}`);
  return { folder, sources: [`/${escapedGlob(name)}`], target };
}

/** The last part of the path. */
function fileName(url: string): string {
  const last = URL.parse(url)?.pathname.split('/').at(-1) ?? '';
  return /^[A-Za-z0-9_+~@%=-][A-Za-z0-9_.+~@%=-]{0,200}$/.test(last) ? last : 'download';
}

function escapedGlob(path: string): string {
  return path.replace(/[*?[\]\\]/g, '\\$&');
}

function asFolder(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}

import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, pack } from 'tar-stream';
import { UserError } from '../platform/index.ts';

/** The same tar, its only top entry called `name`. The result fails with UserError INVALID when it has several. */
export function renameTop(tar: Readable, name: string): Readable {
  const output = new PassThrough();
  const renamed = pack();
  const reader = extract();
  void pipeline(renamed, output).catch(() => {});
  void copy().catch((error: unknown) => {
    const reason = error instanceof Error ? error : new Error(String(error));
    renamed.destroy(reason);
    output.destroy(reason);
  });
  return output;

  async function copy(): Promise<void> {
    const reading = pipeline(tar, reader);
    reading.catch(() => {});
    let top: string | undefined;
    const rename = (path: string) => {
      const [first = '', ...rest] = path.replace(/^(?:\.?\/)+/, '').split('/');
      top ??= first;
      if (first !== top || first === '') throw severalEntries(name);
      return [name, ...rest].join('/');
    };
    for await (const entry of reader) {
      const { header } = entry;
      const linkname = header.type === 'link' && header.linkname ? rename(header.linkname) : header.linkname;
      // The long name of a pax header would win over the new one.
      const pax = Object.fromEntries(
        Object.entries(header.pax ?? {}).filter(([key]) => key !== 'path' && key !== 'linkpath'),
      );
      const sink = renamed.entry({ ...header, name: rename(header.name), linkname: linkname ?? null, pax });
      await pipeline(entry, sink);
    }
    await reading;
    renamed.finalize();
  }
}

function severalEntries(name: string): UserError {
  return new UserError(
    'INVALID',
    `Several files cannot become one, "${name}".`,
    'Name a folder that exists in the image as their target.',
  );
}

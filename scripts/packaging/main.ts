/** `scripts/packages`. */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import packageFile from '../../package.json' with { type: 'json' };
import { makePackages } from './make.ts';
import { findRuntime, isArchitecture, ownArchitecture } from './runtimes.ts';

const checkout = resolve(import.meta.dirname, '../..');

const USAGE = 'usage: scripts/packages [--revision NUMBER] [--arch amd64|arm64]… [FOLDER]\n';

const { values, positionals } = parsed();
if (values.help) {
  process.stdout.write(USAGE);
  process.exit();
}
const [target = join(checkout, 'dist/packages'), ...rest] = positionals;
const architectures = [...new Set(values.arch)].filter(isArchitecture);
const unknown = values.arch.filter((name) => !isArchitecture(name));
if (rest.length > 0 || unknown.length > 0 || !/^[1-9][0-9]{0,8}$/.test(values.revision)) refuse();
await makePackages({
  ...{ checkout, target: resolve(target), version: `${packageFile.version}-${values.revision}` },
  runtimes: (folder) => architectures.map((name) => findRuntime(checkout, name, folder)),
  say: (file) => process.stdout.write(`${file}\n`),
});

function parsed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        revision: { type: 'string', default: '1' },
        arch: { type: 'string', multiple: true, default: [ownArchitecture()] },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    // What else fails is no matter of words.
    if (error instanceof TypeError && 'code' in error) return refuse();
    throw error;
  }
}

function refuse(): never {
  process.stderr.write(USAGE);
  process.exit(2);
}

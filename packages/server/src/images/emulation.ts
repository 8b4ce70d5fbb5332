/**
 * CPU emulation of containers: qemu-user-static, which the kernel starts for foreign binaries (binfmt_misc,
 * Documentation/admin-guide/binfmt-misc.rst). Where systemd runs, it is registered at boot; else we do it here.
 */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from '@walt/contract';
import * as z from 'zod';
import {
  fileExists,
  hasErrno,
  type Paths,
  readIfPresent,
  run,
  UserError,
  withFileLock,
  writeFileAtomic,
} from '../platform/index.ts';
import { emulatorName } from './architectures.ts';

const BINFMT = '/proc/sys/fs/binfmt_misc';
const RULES = '/usr/lib/binfmt.d';

const changes = z.object({ mounted: z.boolean(), rules: z.array(z.string()) });
type Changes = z.infer<typeof changes>;

/** What we changed on this machine. */
interface UndoList {
  readonly noted: Changes;
  /** To be called before the change, so that no crash leaves one that is not noted. */
  note(more: Partial<Changes>): Promise<void>;
  clear(): Promise<void>;
}

/**
 * Makes the kernel run binaries of `architecture`, in containers too. What this changes on the machine is noted, for
 * `unregisterEmulators`. Throws UserError UNAVAILABLE when the emulator or the kernel's support is missing.
 */
export async function registerEmulator(architecture: Architecture, paths: Paths): Promise<void> {
  const rule = `qemu-${emulatorName(architecture)}`;
  const known = await registered();
  if (known?.includes(rule)) return;
  const text = await readIfPresent(join(RULES, `${rule}.conf`));
  if (text === undefined) {
    throw new UserError(
      'UNAVAILABLE',
      `This server cannot run binaries for ${architecture}: their emulator is not installed.`,
      'Install the package qemu-user-static on the server.',
    );
  }
  await withUndoList(paths, async (list) => {
    if ((await registered()) === undefined) await mount(architecture, list);
    await list.note({ rules: [rule] });
    try {
      await writeFile(join(BINFMT, 'register'), ruleForContainers(text));
    } catch (error) {
      // Registered by another platform in the meantime.
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
  });
}

/** Undoes what `registerEmulator` did on this machine, since its last boot. */
export async function unregisterEmulators(paths: Paths): Promise<void> {
  // Nothing was ever noted; the state folder may be gone, too.
  if (!(await fileExists(undoFile(paths)))) return;
  await withUndoList(paths, async (list) => {
    const { mounted, rules } = list.noted;
    const known = (await registered()) ?? [];
    for (const rule of rules.filter((name) => known.includes(name))) {
      await writeFile(join(BINFMT, rule), '-1');
    }
    if (mounted && known.length > 0) await run(['umount', BINFMT]);
    await list.clear();
  });
}

/** The rule of a binfmt.d file, with flag F: the kernel opens the emulator now, so that it is found in any container. */
export function ruleForContainers(file: string): string {
  const rule = file
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line !== '' && !/^[#;]/.test(line));
  if (rule === undefined) throw new TypeError('no rule in the file');
  const flags = rule.slice(rule.lastIndexOf(':') + 1);
  return flags.includes('F') ? rule : `${rule}F`;
}

/** Names of the rules in force; undefined while binfmt_misc is not mounted. */
async function registered(): Promise<string[] | undefined> {
  try {
    const names = await readdir(BINFMT);
    return names.includes('register') ? names : undefined;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function mount(architecture: Architecture, list: UndoList): Promise<void> {
  await list.note({ mounted: true });
  try {
    await run(['mount', '-t', 'binfmt_misc', 'binfmt_misc', BINFMT]);
  } catch {
    throw new UserError(
      'UNAVAILABLE',
      `This server cannot run binaries for ${architecture}: its kernel has no binfmt_misc.`,
      'Load that module on the server (modprobe binfmt_misc), or use a kernel that has it.',
    );
  }
}

function undoFile(paths: Paths): string {
  return join(paths.services, 'emulators.json');
}

/** Calls `act` with the list, which nobody else reads or changes meanwhile, in this process or another one. */
export function withUndoList<T>(paths: Paths, act: (list: UndoList) => Promise<T>): Promise<T> {
  const file = undoFile(paths);
  const lock = join(paths.services, 'emulators.lock');
  return withFileLock(
    lock,
    new AbortController().signal,
    () => {},
    async () => {
      const text = await readIfPresent(file);
      let noted = text === undefined ? NOTHING : changes.parse(JSON.parse(text));
      const write = async (list: Changes) => {
        await writeFileAtomic(file, `${JSON.stringify(list)}\n`);
        noted = list;
      };
      return act({
        get noted() {
          return noted;
        },
        note: ({ mounted = false, rules = [] }) =>
          write({ mounted: noted.mounted || mounted, rules: [...new Set([...noted.rules, ...rules])] }),
        clear: () => write(NOTHING),
      });
    },
  );
}

const NOTHING: Changes = { mounted: false, rules: [] };

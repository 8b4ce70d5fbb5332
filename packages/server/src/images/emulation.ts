/**
 * CPU emulation of containers: qemu-user-static, which the kernel starts for foreign binaries (binfmt_misc,
 * Documentation/admin-guide/binfmt-misc.rst). Where systemd runs, it is registered at boot; else we do it here.
 */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from '@walt/contract';
import { z } from 'zod';
import { hasErrno, type Paths, readIfPresent, run, UserError, writeFileAtomic } from '../platform/index.ts';
import { emulatorName } from './architectures.ts';

const BINFMT = '/proc/sys/fs/binfmt_misc';
const RULES = '/usr/lib/binfmt.d';

const undoList = z.object({ mounted: z.boolean(), rules: z.array(z.string()) });
type UndoList = z.infer<typeof undoList>;

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
  if (known === undefined) await mount(architecture, paths);
  await note(paths, (list) => ({ ...list, rules: [...new Set([...list.rules, rule])] }));
  try {
    await writeFile(join(BINFMT, 'register'), ruleForContainers(text));
  } catch (error) {
    // Registered by somebody else in the meantime.
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
}

/** Undoes what `registerEmulator` did on this machine, since its last boot. */
export async function unregisterEmulators(paths: Paths): Promise<void> {
  const { mounted, rules } = await readUndoList(paths);
  const known = (await registered()) ?? [];
  for (const rule of rules.filter((name) => known.includes(name))) {
    await writeFile(join(BINFMT, rule), '-1');
  }
  if (mounted && known.length > 0) await run(['umount', BINFMT]);
  await writeUndoList(paths, { mounted: false, rules: [] });
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

async function mount(architecture: Architecture, paths: Paths): Promise<void> {
  await note(paths, (list) => ({ ...list, mounted: true }));
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

async function readUndoList(paths: Paths): Promise<UndoList> {
  const text = await readIfPresent(undoFile(paths));
  return text === undefined ? { mounted: false, rules: [] } : undoList.parse(JSON.parse(text));
}

/** Written before the change, so that no crash leaves one that is not noted. */
async function note(paths: Paths, change: (list: UndoList) => UndoList): Promise<void> {
  await writeUndoList(paths, change(await readUndoList(paths)));
}

/** No state folder, nothing to note: `cleanup` may come after it was deleted. */
async function writeUndoList(paths: Paths, list: UndoList): Promise<void> {
  try {
    await writeFileAtomic(undoFile(paths), `${JSON.stringify(list)}\n`);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT') || list.rules.length > 0 || list.mounted) throw error;
  }
}

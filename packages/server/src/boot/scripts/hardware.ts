/** Which hardware a machine is, by what its loader says of it; and which images are for it. */
import type { Architecture } from '@walt/contract';
import { models } from '../../models/index.ts';

/** What a machine says of itself. */
export interface Hardware {
  /** Undefined: no image is made for it. */
  architecture: Architecture | undefined;
  model: string | undefined;
  /** File of its device tree, as kernels bring it: in a folder or in none. */
  deviceTree?: string | undefined;
  /** What it is called in a message. */
  words: string;
}

/** A machine by the CPU that its boot script found: iPXE's `buildarch` words, `x86_64` proven by CPUID. */
export function machineOf(cpu: string): Hardware {
  const known = models.find(({ ipxeCpu }) => ipxeCpu === cpu);
  return { architecture: known?.architecture, model: known?.name, words: `the CPU ${cpu}` };
}

/** Architectures of the CPUs that U-Boot names. */
const CPUS: Record<string, Architecture> = { armv8: 'arm64', armv7: 'armhf', arm1176: 'armhf' };

/** A device tree's file as U-Boot names it, which may climb nowhere: its vendor's folder may stand in front. */
const DEVICE_TREE = /^(?:[A-Za-z0-9][A-Za-z0-9_+.-]{0,99}\/)?([A-Za-z0-9][A-Za-z0-9_+.-]{0,99}\.dtb)$/;

/** A board by what it said in its question. Its device tree's file is called after it: `broadcom/bcm2837-rpi-3-b.dtb`. */
export function boardOf(query: URLSearchParams): Hardware {
  const [cpu, vendor, fdt, type] = ['cpu', 'vendor', 'fdt', 'type'].map((name) => query.get(name) ?? '');
  const [deviceTree, file = ''] = DEVICE_TREE.exec(fdt ?? '') ?? [];
  const architecture = CPUS[cpu ?? ''];
  const told = models.filter(({ uBootVendor }) => uBootVendor === vendor);
  const board = models.find(
    ({ deviceTrees, firmware }) =>
      deviceTrees?.includes(file) ||
      (deviceTree === undefined && firmware?.boardType === Number(type || Number.NaN)),
  );
  const model =
    told.length > 0
      ? told.find((one) => one.architecture === architecture)?.name
      : (board?.name ?? /^(?:.*\/)?[a-z0-9]+-([a-z0-9][a-z0-9-]{0,62})\.dtb$/.exec(fdt ?? '')?.[1]);
  return {
    architecture,
    model,
    deviceTree,
    words: `this board (CPU ${cpu}, vendor ${vendor}, device tree ${fdt})`,
  };
}

/** Models separated by commas, as images made for WalT say. */
const MODELS_LABEL = 'walt.node.models';

/**
 * Node models that an image is for: what its label says, else those that boot its architecture and whose device tree its kernel has,
 * if they need one. `deviceTrees`: names, with or without folders.
 */
export function imageModels(
  architecture: Architecture,
  labels: Readonly<Record<string, string>>,
  deviceTrees: readonly string[],
): string[] {
  const named = (labels[MODELS_LABEL] ?? '').split(',').map((word) => word.trim());
  const valid = named.filter((word) => /^[a-z0-9][a-z0-9-]{0,62}$/.test(word));
  if (valid.length > 0) return valid;
  const there = new Set(deviceTrees.map((path) => path.split('/').at(-1)));
  return models
    .filter(({ images }) => images.includes(architecture))
    .filter((model) => model.deviceTrees?.some((file) => there.has(file)) ?? true)
    .map(({ name }) => name);
}

/** Kinds of hardware: a file for each board, with all that the platform knows of it. Everything else asks here. */
import type { Architecture, VirtualModel } from '@walt/contract';
import { type AdapterSet, pcAdapters } from './adapters.ts';
import type { Loader } from './loaders.ts';
import type { Fittings, Model } from './model.ts';
import { pcArm64 } from './pc-arm64.ts';
import { pcX8632 } from './pc-x86-32.ts';
import { pcX8664 } from './pc-x86-64.ts';
import { qemuArm64 } from './qemu-arm64.ts';
import { qemuArmhf } from './qemu-armhf.ts';
import { rpi2B } from './rpi-2-b.ts';
import { rpi3B } from './rpi-3-b.ts';
import { rpi3BPlus } from './rpi-3-b-plus.ts';
import { rpi4B } from './rpi-4-b.ts';
import { rpi5B } from './rpi-5-b.ts';
import { rpi400 } from './rpi-400.ts';
import { rpiCm4 } from './rpi-cm4.ts';

export type { AdapterSet, DeviceSet } from './adapters.ts';
export { armEfiLoader, type Loader } from './loaders.ts';
export type { Firmware, Model } from './model.ts';
export type { QemuBoard } from './qemu/index.ts';
export { enterKeyRom } from './qemu/index.ts';
export { RASPBERRY_CLASS } from './raspberry-pi.ts';

/** All boards. */
export const models: readonly Model[] = [
  ...[qemuArm64, qemuArmhf, pcX8632, pcX8664, pcArm64],
  ...[rpi2B, rpi3B, rpi3BPlus, rpi4B, rpi400, rpiCm4, rpi5B],
];

/** Undefined for a board that says what it is, and of which nothing else is known. */
export function findModel(name: string): Model | undefined {
  return models.find((model) => model.name === name);
}

/** A model of virtual nodes. */
export function virtualModelOf(name: VirtualModel): Model & Required<Pick<Model, 'qemu'>> {
  const model = findModel(name);
  if (!model?.qemu) throw new TypeError(`QEMU plays no ${name}`);
  return { ...model, qemu: model.qemu };
}

/** What a kernel needs on a node. A board that is not known is taken for a PC. */
export function fittingsOf({ model, isVirtual }: { model: string; isVirtual: boolean }): Fittings {
  const known = findModel(model);
  return (isVirtual ? known?.qemu : undefined) ?? known ?? { console: 'tty0', adapters: pcAdapters };
}

/** Beginnings of the hardware addresses of boards whose firmware loads all by itself. */
export const firmwarePrefixes: readonly string[] = [
  ...new Set(models.flatMap(({ firmware }) => firmware?.macPrefixes ?? [])),
];

/** The board whose firmware asks for that device tree's file. */
export function modelOfFirmware(deviceTree: string): Model | undefined {
  return models.find(({ firmware }) => firmware?.deviceTrees.includes(deviceTree));
}

/** All sets of adapter modules that some board needs. */
export const adapterSets: readonly AdapterSet[] = [
  ...new Set(models.flatMap(({ qemu, adapters }) => [...(qemu ? [qemu.adapters] : []), adapters])),
];

/** All that some board's firmware loads first. */
export const loaders: readonly Loader[] = [...new Set(models.flatMap((model) => model.loaders))];

/** Those that boards need which boot images of that architecture. */
export function adapterSetsOf(architecture: Architecture): readonly AdapterSet[] {
  const boards = models.filter(({ images }) => images.includes(architecture));
  return [...new Set(boards.flatMap(({ qemu, adapters }) => [...(qemu ? [qemu.adapters] : []), adapters]))];
}

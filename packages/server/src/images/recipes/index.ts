/** What is made of Debian packages: default images and toolchains. Owns mmdebstrap. */

export { ensureDefaultTar, ensureTar, sweepMaking, tarPath } from './debootstrap.ts';
export { RaspiFirmware } from './raspi-firmware.ts';
export { parsePackages, type Recipe } from './recipe.ts';

/** Images that were made for WalT: they bring boot scripts, kernel and initrd of their own. */
export { environmentFile, environmentOf } from './environment.ts';
export { renderTemplate } from './image-spec.ts';
export { insidePath } from './inside-path.ts';
export { copyServed } from './served.ts';
export {
  type BootScript,
  preferredName,
  readWaltImage,
  requireServerVersion,
  servedFolder,
  type WaltImage,
  waltImage,
} from './walt-image.ts';

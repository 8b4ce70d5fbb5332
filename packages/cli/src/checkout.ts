/** Where this program lies: beside the launcher and the manual. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout that this program runs from: the bundle is `CHECKOUT/dist/walt/…/*.js`. */
export function checkoutFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const bundle = here.lastIndexOf('/dist/walt');
  return bundle === -1 ? join(here, '../../..') : here.slice(0, bundle);
}

/** The launcher, by the absolute path under which other programs (ssh) can start it. */
export function launcher(): string {
  return join(checkoutFolder(), 'walt');
}

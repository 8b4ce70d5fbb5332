/** How to leave a console, told where the user sees it. */
import type { StreamHandlers } from '@walt/client/stream';
import { paintRemarks, remark } from './output.ts';

/** Milliseconds within which a console that has printed something shows it. */
const BACKLOG_LIMIT = 300;

/**
 * Tells the hint once, behind what the console printed earlier: that comes first, is often longer than the screen, and login
 * programs clear the screen in it. A console that printed nothing yet gets the hint soon.
 */
export function hintAfterBacklog(handlers: StreamHandlers, hint: string): StreamHandlers {
  let timer: NodeJS.Timeout | undefined;
  let told = false;
  const tell = () => {
    clearTimeout(timer);
    if (told) return;
    told = true;
    remark(`\n${paintRemarks()(hint, 'dim')}`);
  };
  return {
    onOpen: () => {
      handlers.onOpen();
      timer = setTimeout(tell, BACKLOG_LIMIT).unref();
    },
    onData: (bytes) => {
      handlers.onData(bytes);
      tell();
    },
  };
}

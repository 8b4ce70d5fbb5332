import type { Platform } from './platform.ts';
import { Terminal } from './terminal.ts';

/** What bash of the default image shows when it waits for a command in an image shell. */
export const imagePrompt = /\(image\)root@[a-z0-9-]+:\S+# $/m;

/** Opens `walt image shell` on an image of root's, on a terminal, and waits for its prompt. */
export async function openImageShell(platform: Platform, image: string): Promise<Terminal> {
  const { root } = platform;
  const terminal = await Terminal.open(root.command('image', 'shell', image), { env: root.env });
  await terminal.expect(imagePrompt);
  return terminal;
}

/** What the commands of `walt-server` have in common. */
import { UserError } from './platform/index.ts';

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new UserError('FORBIDDEN', 'Only root can handle the platform.', 'Repeat the command with sudo.');
}

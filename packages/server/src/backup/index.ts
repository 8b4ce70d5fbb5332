/** Backups of a whole platform: written while it runs, verified, brought back onto an empty machine. */
export { type BackupOptions, type BackupResult, backUp } from './backup.ts';
export { holdImages } from './hold.ts';
export { type ListedBackup, listBackups, type VerifiedBackup, verifyBackups } from './listing.ts';
export { amount, type Told, toldByLines } from './progress.ts';
export { requireRestored, restoreBackup } from './restore.ts';

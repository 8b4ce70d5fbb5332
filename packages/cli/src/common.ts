/** What nearly every command loads. No file imports this one: the bundle does, at the start of each command (`packages/cli/build.ts`). */
export * from '@walt/client/connection';
export * from '@walt/contract/values/digests';
export * from 'commander';
export * from './cli.ts';
export * from './options.ts';
export * from './terminal/human.ts';
export * from './terminal/output.ts';
export * from './terminal/table.ts';

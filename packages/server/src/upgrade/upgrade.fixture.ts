/** Run as a program that can be killed: upgrades the state folder in its first argument. */
import { platformPaths, removeDrafts } from '../platform/index.ts';
import { upgradeState } from './index.ts';

const [state = '', size = '0'] = process.argv.slice(2);
const paths = platformPaths({ state, runtime: `${state}/run`, cache: `${state}/cache` });
await removeDrafts(paths);
await upgradeState({ paths, persistSize: Number(size), stopNfs: async () => {}, say: console.log });

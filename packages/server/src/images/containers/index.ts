/** Containers of images: made, entered, bounded, removed. */
export { requireAccountFiles } from './account-files.ts';
export { allProcesses, containerOf, type ProcessFacts } from './container-processes.ts';
export type { ContainerState, LentFiles } from './container-state.ts';
export { Containers, type TerminalSize } from './containers.ts';
export { type Printed, printedIn } from './podman-frames.ts';
export {
  commandSpec,
  commonSpec,
  INIT_LABEL,
  INIT_SHUTDOWN,
  INIT_START,
  initSpec,
  SHELL,
  STOP_LIMIT,
  shellContainerName,
  shellEnvironment,
  shellSpec,
} from './shell-container.ts';
export { TerminalSizer } from './terminal-size.ts';

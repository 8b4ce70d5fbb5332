/** What podman answers of containers and of what runs in them. */
import * as z from 'zod';

export interface ContainerState {
  /** podman's word: `created`, `running`, `exited` and so on. */
  status: string;
  exitCode: number;
  /** What the kernel counted of its limits until it ended last (`limitNote`). */
  counted: string;
  /** Number of its first process on this machine; undefined: it does not run. */
  process: number | undefined;
  /** Its first program and that one's arguments, joined by blanks. */
  entrypoint: string;
  folders: ContainerFolders;
  lent: LentFiles;
}

/** Files of podman's own, mounted over the container's for as long as it runs. */
export interface LentFiles {
  /** Where they lie on the server, by their path in the container. */
  places: ReadonlyMap<string, string>;
  /** A file on the server that podman writes after them, and before the container runs. */
  mark: string;
}

export interface ContainerFolders {
  /** What the container changed, as overlayfs keeps it. */
  upper: string;
  /** The image's layers, top first; none where it runs in a folder that it was given. */
  lower: string[];
}

export const containerList = z
  .array(z.object({ Id: z.string(), Names: z.array(z.string()), State: z.string() }))
  .nullish();

export const inspection = z.object({
  Id: z.string(),
  State: z.object({ Status: z.string(), ExitCode: z.number(), Pid: z.number() }),
  Config: z.object({ Entrypoint: z.union([z.string(), z.array(z.string())]).nullish() }),
  GraphDriver: z.object({ Data: z.object({ UpperDir: z.string(), LowerDir: z.string().optional() }) }),
  // Empty, or not there, before it has run.
  HostnamePath: z.string().default(''),
  HostsPath: z.string().default(''),
  ResolvConfPath: z.string().default(''),
  OCIConfigPath: z.string().default(''),
});

export const removals = z.array(z.object({ Id: z.string() })).nullish();

export const programInspection = z.object({ Running: z.boolean(), ExitCode: z.number(), Pid: z.number() });

/** Go's os.FileMode. */
const pathStat = z.object({ mode: z.number() });

/** Go's os.ModeDir. */
const GO_FOLDER = 2 ** 31;

/** `counted`: what the kernel counted of its limits. */
export function stateOf(found: z.infer<typeof inspection>, counted: string): ContainerState {
  return {
    status: found.State.Status,
    exitCode: found.State.ExitCode,
    counted,
    process: found.State.Pid || undefined,
    entrypoint: [found.Config.Entrypoint ?? []].flat().join(' '),
    folders: {
      upper: found.GraphDriver.Data.UpperDir,
      lower: found.GraphDriver.Data.LowerDir?.split(':') ?? [],
    },
    lent: {
      places: new Map([
        ['/etc/hostname', found.HostnamePath],
        ['/etc/hosts', found.HostsPath],
        ['/etc/resolv.conf', found.ResolvConfPath],
      ]),
      mark: found.OCIConfigPath,
    },
  };
}

/** Whether what podman tells of a path is a file that may be executed. */
export function isProgram(told: unknown): boolean {
  const { mode } = pathStat.parse(told);
  return Math.floor(mode / GO_FOLDER) % 2 === 0 && (mode & 0o111) !== 0;
}

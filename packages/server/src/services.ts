/** What the API serves, made of what the folders offer: the server and tests of its clients have it from here. */
import type { ServerStatus } from '@walt/contract';
import { type Caller, type Guests, type Identity, Origins, type StandingRights } from './access/index.ts';
import type { NodeDirectory } from './boot/index.ts';
import { createDeviceCalls, DeviceEntry, type Devices } from './devices/index.ts';
import { createImageCalls, type Images, OpenJobs } from './images/index.ts';
import { Checkpoints, createLogCalls, LogImports, LogLines, type Logs } from './logs/index.ts';
import type { Network } from './network/index.ts';
import { createChangesCalls, type createNodes, HeldChanges } from './nodes/index.ts';
import { type Config, type Log, type Paths, RoomGuard } from './platform/index.ts';
import { createSpaceCalls, DiskUsers, type Quotas } from './space/index.ts';
import type { ServerDatabase } from './tables.ts';

interface Parts {
  config: { limits: Pick<Config['limits'], 'reservedSpace'>; logs: Pick<Config['logs'], 'days'> };
  paths: Paths;
  database: ServerDatabase;
  network: Network;
  identity: Identity;
  rights: StandingRights;
  logins: Guests;
  quotas: Quotas;
  images: Images;
  nodes: Awaited<ReturnType<typeof createNodes>>;
  directory: NodeDirectory;
  devices: Devices;
  firmware: Parameters<typeof createImageCalls>[0]['firmware'];
  /** What nodes load. */
  files: Parameters<typeof createChangesCalls>[0]['files'];
  logs: Logs;
  status(): Promise<Omit<ServerStatus, 'user' | 'role'>>;
  /** Takes the line that tells what somebody did. */
  audit(line: string): void;
  /** Of an area of the journal. */
  log(area: string): Log;
}

/** `held` is what nodes sent and nobody has saved: whoever ends the server closes it. */
export function createServices(parts: Parts) {
  const { config, paths, database, network, rights, logins, quotas, images, nodes, devices, logs } = parts;
  const { directory, firmware, files, status, audit, log } = parts;
  const { reservedSpace } = config.limits;
  const jobs = new OpenJobs();
  const held = new HeldChanges(log('nodes'));
  const changes = createChangesCalls({ ...nodes, images, jobs, held, paths, files });
  const ofImages = createImageCalls({ images, nodes: nodes.lookup, firmware, jobs, logins });
  const diskUsers = new DiskUsers({
    ...{ paths, reserved: reservedSpace },
    ofUsers: [images.space.diskParts, nodes.space.diskParts],
    seen: async (caller) => images.sharing.seen(caller, await images.list()),
  });
  const services = {
    ...{ identity: parts.identity, rights, diskUsers, audit },
    entry: nodes.entry,
    devices: new DeviceEntry({ devices, rights, nodes: nodes.store }),
    images: ofImages.streams,
    logs: new LogLines({
      logs,
      nodes: (set, caller, signal) => nodes.calls.list(caller, { set }, signal),
      devices: () => devices.others(),
    }),
    logImports: new LogImports({
      ...{ logs, folder: paths.state, days: config.logs.days },
      room: new RoomGuard(paths.state, reservedSpace),
      issuers: async () => [...(await nodes.store.all()), ...devices.others()],
    }),
    origins: new Origins(log('access')),
    calls: {
      ...ofImages.calls,
      log: createLogCalls(new Checkpoints(database)),
      node: { ...nodes.calls, changes },
      access: nodes.entry,
      device: createDeviceCalls({ devices, directory, network, nodes: nodes.calls }),
      server: {
        status: async ({ user, role }: Caller) => ({ user, role, ...(await status()) }),
        ...createSpaceCalls(quotas, [nodes.space, images.space], diskUsers),
      },
    },
    log: log('api'),
  };
  return { services, held };
}

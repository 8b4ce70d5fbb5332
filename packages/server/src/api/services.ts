import type { contract } from '@walt/contract';
import type { CallsOf, Identity, Origins, StandingRights } from '../access/index.ts';
import type { DeviceEntry } from '../devices/index.ts';
import type { ImageStreams } from '../images/index.ts';
import type { LogImports, LogLines } from '../logs/index.ts';
import type { NodeEntry } from '../nodes/index.ts';
import type { Log } from '../platform/index.ts';
import type { DiskUsers } from '../space/index.ts';
import type { Audit } from './audit.ts';

/** What the API serves: one object, made by services.ts of what the other folders offer. They know who may do what. */
export interface Services {
  /** Answers `auth`, and tells who calls all the rest. */
  identity: Identity;
  rights: StandingRights;
  calls: CallsOf<Omit<typeof contract, 'auth'>>;
  entry: NodeEntry;
  /** Into what is no node. */
  devices: DeviceEntry;
  images: ImageStreams;
  logs: LogLines;
  logImports: LogImports;
  /** Tells who has how much of the server's disk. */
  diskUsers: Pick<DiskUsers, 'sentence'>;
  /** Takes the line that tells what somebody did. */
  audit: Audit;
  /** Tells from where it was done. */
  origins: Pick<Origins, 'of'>;
  log: Log;
}

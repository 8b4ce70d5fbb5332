/** What a build is given, and where it has its files. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Architecture, NamedImage } from '@walt/contract';
import type { Limits, Paths, RoomGuard } from '../../platform/index.ts';
import { serverArchitecture } from '../architectures.ts';
import type { Expected } from '../catalogue/index.ts';
import type { JobClient } from '../jobs/index.ts';
import type { Skopeo, Store } from '../store/index.ts';
import type { HostCommand, ImageRecord } from '../types.ts';
import type { Base, BaseDeps } from './bases.ts';
import type { BuildPlan, Needed } from './dockerfile/index.ts';
import type { Configuration } from './view.ts';

export interface ImageBuildDeps extends BaseDeps {
  paths: Paths;
  limits: Pick<Limits, 'container' | 'build'>;
  host: HostCommand;
  store: Store;
  skopeo: Skopeo;
  room: RoomGuard;
  /** Makes binaries of an architecture run here. */
  emulate(architecture: Architecture): Promise<void>;
}

export interface ImageBuildRequest {
  user: string;
  /** Throws UserError NOT_FOUND for images that the user may not see. */
  sees(image: NamedImage): Promise<void>;
  target: NamedImage;
  /** What `target` points to when the build begins. */
  expected: Expected;
  plan: BuildPlan;
  args: Readonly<Record<string, string>>;
  /** For images that are made from nothing or have several architectures; undefined: the server's. */
  architecture: Architecture | undefined;
  cache: boolean;
  /** For the history. */
  source: string;
}

/** Who asked for the build; sends his folder as a tar. */
export type ImageBuildClient = Pick<JobClient, 'input' | 'output' | 'tell' | 'signal'>;

export interface BuiltImage {
  image: ImageRecord;
  /** False: the name pointed to it before. */
  changed: boolean;
}

/** An image that the Dockerfile names, held while the build runs. */
export interface Found extends Base {
  configuration: Configuration;
}

export type Bases = Map<Needed, Found>;

/** A user's folder for one architecture: `scratch` images of several look alike to buildah's cache. */
export interface BuildPlaces {
  store: string;
  cache: string;
  results: string;
  /** Of this build. */
  work: string;
  id: string;
}

export function buildPlaces(paths: Paths, user: string, architecture: Architecture): BuildPlaces {
  const id = randomBytes(8).toString('hex');
  const own = join(paths.imageBuilds, user, architecture);
  return {
    store: join(own, 'store'),
    cache: join(own, 'cache'),
    results: join(own, 'results'),
    work: join(own, `work-${id}`),
    id,
  };
}

/** Architecture of what will come out, as far as it is known before images of registries are. */
export function targetArchitecture({
  architecture,
}: {
  architecture: Architecture | undefined;
}): Architecture {
  return architecture ?? serverArchitecture();
}

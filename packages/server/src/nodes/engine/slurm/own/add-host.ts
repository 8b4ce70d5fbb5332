/** `walt-server host add`: a Debian machine that SSH reaches becomes a host. */
import { setTimeout as delay } from 'node:timers/promises';
import { parseSshPlace, shortened } from '@walt/contract';
import { isExternalError, type Paths, type SlurmConfig, UserError } from '../../../../platform/index.ts';
import { isInUse } from '../fit.ts';
import { openSlurm, platformName } from '../open.ts';
import type { HostSeen } from '../output.ts';
import type { Slurm } from '../slurm.ts';
import { type HostFacts, parseFacts, type Wanted, whyUnfit } from './host-facts.ts';
import { featuresOf, type HostPlan, type HostWish, planHost } from './host-plan.ts';
import { HostSession, lastWords } from './host-session.ts';
import { hostScript, startVariables } from './host-steps.ts';
import { knownHosts, noteHost } from './known-hosts.ts';
import { probeScript } from './kvm-probe.ts';

export interface HostDeps {
  config: SlurmConfig;
  paths: Pick<Paths, 'identity' | 'hosts' | 'clusterKey'>;
  /** Told of each step. */
  say(text: string): void;
}

/** Milliseconds for one step, for packages, and for Slurm to see the host. */
const STEP = 60_000;
const INSTALLATION = 1_800_000;
const JOIN = 60_000;

/**
 * Resolves when Slurm uses the host. Whatever fails, nothing that was made here is left there; a host that there was stays one. Throws
 * UserError that names host and next step.
 */
export async function addHost(deps: HostDeps, wish: HostWish): Promise<void> {
  const { name } = wish;
  // Words are judged before anything is asked.
  planHost(wish, undefined);
  const place = parseSshPlace(wish.url);
  if (typeof place === 'string') {
    throw new UserError(
      'INVALID',
      `${shortened(wish.url)} is not where a host can be: ${place}.`,
      'Write it as ssh://[USER@]HOST[:PORT], as in ssh://root@rack1.example.',
    );
  }
  const slurm = await openSlurm(deps.config, deps.paths);
  const { version } = await controllerFacts(slurm);
  const platform = await platformName(deps.paths);
  const server = deps.config.address;
  const before = (await slurm.hosts()).find((host) => host.name === name)?.features;
  const plan = planHost(wish, before);
  deps.say(`${name}: connecting to ${place.url}`);
  const session = await HostSession.open(name, place, await hostScript({ platform, name, server }, plan));
  const hosts = await knownHosts(deps.paths);
  const joining = new Joining(deps, { ...plan, kvm: wish.kvm }, session, slurm, {
    ...{ name, url: place.url, platform, server, controller: version, hosts },
    ...{ nodes: plan.nodes, volumes: plan.volumes },
  });
  try {
    const features = await joining.join();
    deps.say(`${name} ${tasksOf(plan)}: ${features.join(', ')}.`);
  } finally {
    if (joining.begun) deps.say(`${name}: leaving it as it was`);
    await session.close();
    // It may have come, and be gone now.
    if (joining.begun) await slurm.remove(name);
  }
}

function tasksOf({ nodes, volumes }: HostPlan): string {
  const tasks = [...(nodes ? ['runs virtual nodes'] : []), ...(volumes ? ['keeps copies of volumes'] : [])];
  return tasks.join(' and ');
}

/** Throws UserError UNAVAILABLE. */
export async function controllerFacts(slurm: Slurm) {
  try {
    return await slurm.facts();
  } catch (error) {
    if (!isExternalError(error)) throw error;
    throw new UserError(
      'UNAVAILABLE',
      `The cluster's controller does not answer: ${error.message}`,
      "See walt-server status. Where it fails, slurmctld.log beside the journal tells why; slurm.address must be this machine's, and TCP port 6817 free there.",
    );
  }
}

class Joining {
  readonly #deps: HostDeps;
  readonly #plan: HostPlan & Pick<HostWish, 'kvm'>;
  readonly #session: HostSession;
  readonly #slurm: Slurm;
  readonly #wanted: Omit<Wanted, 'asked' | 'answered'>;
  /** What is made there is undone when the session ends. */
  begun = false;

  constructor(
    deps: HostDeps,
    plan: HostPlan & Pick<HostWish, 'kvm'>,
    session: HostSession,
    slurm: Slurm,
    wanted: Omit<Wanted, 'asked' | 'answered'>,
  ) {
    this.#deps = deps;
    this.#plan = plan;
    this.#session = session;
    this.#slurm = slurm;
    this.#wanted = wanted;
  }

  /** Answers the features that it has then. */
  async join(): Promise<string[]> {
    const { name, url } = this.#wanted;
    const before = await this.#checked();
    await this.#step('begin');
    this.begun = before.owner === undefined;
    if (before.missing.length > 0) {
      this.#say(`installing ${before.missing.join(', ')}`);
      await this.#step('install_missing', INSTALLATION);
    }
    // Some of it can be told only by what was installed.
    const { address = '', architecture } = before.missing.length > 0 ? await this.#checked() : before;
    const kvm = this.#plan.nodes && (await this.#hasKvm(architecture));
    const features = featuresOf(this.#plan, [architecture, ...(kvm ? ['kvm'] : [])]);
    this.#say('starting munge and slurmd');
    // What Slurm remembers of it may be another machine's. A host that runs something stays.
    await this.#slurm.remove(name);
    await this.#start(features);
    const seen = await this.#untilUsed();
    if (seen.features.join() !== features.join()) await this.#slurm.setFeatures(name, features);
    await noteHost(this.#deps.paths, { name, url, address });
    await this.#step('keep');
    this.begun = false;
    return features;
  }

  async #checked(): Promise<HostFacts> {
    this.#say('looking whether it can be a host');
    const asked = Date.now() / 1000;
    const facts = parseFacts((await this.#session.run('facts', STEP)).output);
    const answered = Date.now() / 1000;
    if (!facts) throw this.#failed('it does not tell what it is', 'Hosts are Debian 12 or newer.');
    const why = whyUnfit(facts, { ...this.#wanted, asked, answered });
    if (why) throw why;
    return facts;
  }

  /** Only PCs have machines that KVM runs. */
  async #hasKvm(architecture: string): Promise<boolean> {
    const { status, output } =
      architecture === 'amd64'
        ? await this.#session.run(probeScript(), STEP)
        : { status: 1, output: `its CPU is ${architecture}` };
    if (status === 0 || !this.#plan.kvm) return status === 0;
    throw this.#failed(
      `KVM does not work there: ${lastWords(output)}`,
      'Switch virtualization on in its firmware, or add it without --kvm: QEMU then emulates.',
    );
  }

  async #start(features: readonly string[]): Promise<void> {
    await this.#session.run(await startVariables(this.#deps.paths, this.#plan, features));
    await this.#step('start');
  }

  async #untilUsed(): Promise<HostSeen> {
    const { name, server } = this.#wanted;
    this.#say('waiting for it to come to the cluster');
    const deadline = Date.now() + JOIN;
    for (;;) {
      const seen = (await this.#slurm.hosts()).find((host) => host.name === name);
      if (seen && isInUse(seen)) return seen;
      if (Date.now() > deadline) {
        const state = seen ? `it is ${seen.states.join('+')}` : 'it does not come';
        const why = lastWords((await this.#session.run('why', STEP)).output);
        throw this.#failed(
          `${state}. Its slurmd says: ${why}`,
          `Let TCP port 6817 of ${server} and port 6818 of the host pass. Then repeat the command.`,
        );
      }
      await delay(250);
    }
  }

  async #step(line: string, limit = STEP): Promise<void> {
    const { status, output } = await this.#session.run(line, limit);
    if (status !== 0)
      throw this.#failed(`${line} failed: ${lastWords(output)}`, 'Mend that there, then repeat it.');
  }

  #say(text: string): void {
    this.#deps.say(`${this.#wanted.name}: ${text}`);
  }

  #failed(message: string, hint: string): UserError {
    return new UserError('UNAVAILABLE', `${this.#wanted.name}: ${message}`, hint);
  }
}

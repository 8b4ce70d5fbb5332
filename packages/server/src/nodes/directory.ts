import { randomInt } from 'node:crypto';
import { type DeviceNote, PLATFORM_OWNER } from '@walt/contract';
import type { SshAuthority } from '../access/index.ts';
import type { BootTarget, DiskReport, NodeDirectory, PollReport } from '../boot/index.ts';
import type { Images } from '../images/index.ts';
import { type Limits, type Log, rarely } from '../platform/index.ts';
import type { Agents } from './agents.ts';
import type { Consoles } from './consoles/index.ts';
import type { Engine } from './engine/index.ts';
import { lastLines, timesOf } from './history/index.ts';
import type { ImageChoice } from './image-choice.ts';
import { kexecOf } from './kexec/index.ts';
import { freshToken, sameSecret } from './ownership/index.ts';
import type { Failure } from './plan/index.ts';
import type { Power } from './power/index.ts';
import { bootDelay, bootRetries, isRouted, mountsPersist, systemLogs } from './setting-values.ts';
import { type AgentRow, type NodeRow, type NodeStore, now } from './store.ts';
import { clockTrouble, diskTrouble, killedTrouble, modelTrouble, shortWords } from './troubles.ts';
import type { VolumeServers } from './volume-servers/index.ts';

/** Milliseconds without a refusal after which the next one is told in the journal. */
const REFUSAL_PAUSE = 60_000;

/** Seconds that firmware may take to load what a boot consists of, file by file. */
const FIRMWARE_TIME = 120;

/** Seconds after which the same reason is noted anew. */
const NOTE_PAUSE = 60;

interface Deps {
  store: NodeStore;
  images: Pick<Images, 'byDigest'>;
  agents: Agents;
  volumeServers: Pick<VolumeServers, 'choose' | 'serverOf' | 'disproved'>;
  choice: Pick<ImageChoice, 'defaultName'>;
  ssh: SshAuthority;
  machines: Pick<Engine, 'consoleLog'>;
  consoles: Pick<Consoles, 'forget'>;
  power: Pick<Power, 'cycle'>;
  network: { server: string; prefix: number };
  devices: {
    /** What a user called a machine before it was a node. */
    nameOf(mac: string): string | null;
    notesOf(mac: string): readonly DeviceNote[];
    note(
      mac: string,
      kind: 'clock' | 'other-model' | 'boot' | 'memory' | 'disk',
      text: string | undefined,
    ): Promise<void>;
    asked(ip: string, protocol: 'tftp' | 'http', path: string): void;
    pluggedInto(mac: string, place: { mac: string; port: string }): void;
  };
  platformVolume: string;
  limits: Pick<Limits, 'freeNodes'>;
  /** Called when a row changed. Ends when addresses and exports have followed; boots do when they can. */
  changed(): Promise<readonly Failure[]>;
  log: Log;
}

/** What boot/ asks about nodes, and what nodes tell of themselves while they boot and run. */
export function createDirectory(deps: Deps): NodeDirectory {
  const { store, images, agents, log } = deps;
  const served = rarely(log.info);
  const unnoted = rarely(log.warn);
  const heard = rarely(log.info);
  /** When a machine was last refused, in Unix milliseconds: each asks again every few seconds. */
  let refused = 0;

  async function target(
    node: NodeRow,
    served: Pick<BootTarget, 'digest' | 'persist' | 'delay'> & { owner: string },
  ): Promise<BootTarget | undefined> {
    const { owner, ...noted } = served;
    const image = await images.byDigest(noted.digest);
    if (!image?.bootPlan) return undefined;
    return {
      nodeId: node.id,
      mac: node.mac,
      ip: node.ip,
      prefix: deps.network.prefix,
      name: node.name,
      server: deps.network.server,
      ...(deps.volumeServers.serverOf(node) ?? { volumeServer: deps.network.server, proofs: [] }),
      nat: isRouted(node),
      logs: systemLogs(node),
      ...noted,
      layers: image.layers,
      size: image.size,
      bootPlan: image.bootPlan,
      model: node.model,
      isVirtual: node.type === 'virtual',
      disk: await diskUse(node),
      generation: node.generation,
      token: node.token,
      identity: await deps.ssh.nodeIdentity({ id: node.id, owner }),
      platformVolume: deps.platformVolume,
    };
  }

  /** What a node tells of its own boot. */
  function noteReport({ id, served_at: asked }: AgentRow, { steps, leaving }: PollReport): void {
    const at = Date.now() / 1000;
    if (leaving) store.boots.reached(id, { left: at });
    else if (steps) store.boots.reached(id, timesOf(steps, asked ?? at, at));
  }

  const beginBoot: NodeDirectory['beginBoot'] = async (ip, way = 'firmware') => {
    const node = await store.byIp(ip);
    if (!node?.digest) return undefined;
    const { id, generation, digest, image_owner: owner } = node;
    const cycle = await deps.power.cycle(node);
    // Nothing that its last owner saw or kept of it, keys included, is worth anything to anybody from here on.
    const changesHands = node.boot_owner !== owner;
    // Nor may what he left running there ask for the next owner's boot, and get his keys and his /persist.
    if (changesHands && cycle !== null && cycle === node.served_cycle) {
      served('no boot for another owner before the machine has been reset', { node: id }, `${id} refused`);
      return undefined;
    }
    const persist = await store.persistFolder(id, owner);
    const token = changesHands ? freshToken() : node.token;
    await deps.ssh.beginBoot({ id, owner });
    const mounts = mountsPersist(node);
    const [least, most] = bootDelay(node);
    const image = await images.byDigest(digest);
    const chosen = image ? await deps.volumeServers.choose(node, image) : null;
    const volumes = chosen && !(await wasTried(node)) ? chosen : null;
    const served_volumes = volumes && JSON.stringify(volumes);
    const boot = await target(
      { ...node, token, served_volumes },
      { digest, persist: mounts ? persist : null, delay: randomInt(least, most + 1), owner },
    );
    if (!boot) return undefined;
    // A first boot has no last owner, and its loader's words are already in the history.
    if (changesHands && node.served_generation !== null) await deps.consoles.forget(id);
    const noted = { generation, digest, persist, mounts, token, cycle, served_volumes, way };
    await store.noteServed(node, noted);
    // What is noted stays. Somebody may have given up that version just before: its name points elsewhere by now.
    // The address may be another node's, too: who asked is none then.
    if (!(await images.byDigest(digest)))
      return (await store.byIp(ip))?.id === id ? beginBoot(ip, way) : undefined;
    served('boot served', { node: id, generation, digest }, String(id));
    // The export of /persist must exist before the node asks for it.
    const blind = (await deps.changed()).find(({ step }) => step === undefined);
    if (blind) throw blind.error;
    return boot;
  };

  /** A boot that does not come up with what a host gives it must come up without: its kernel may have died of a wrong block. */
  async function wasTried({ id, generation }: NodeRow): Promise<boolean> {
    const boot = (await store.boots.current([id])).get(id);
    if (boot?.generation !== generation || boot.times.booted !== undefined) return false;
    return boot.attempt > 1 || boot.times.initramfs !== undefined;
  }

  /** A disk that hangs, or that the kernel does not survive, must not keep a node from booting over the network. */
  async function diskUse({ id, hybrid_disk }: NodeRow): Promise<BootTarget['disk']> {
    if (hybrid_disk === null) return 'none';
    const boot = (await store.boots.current([id])).get(id);
    return (boot?.attempt ?? 1) > 1 ? 'skip' : 'use';
  }

  async function noteDisk(node: AgentRow, { mode, disk }: DiskReport): Promise<void> {
    const told = disk ?? node.hybrid_disk ?? 'none';
    const hybrid = told === 'none' ? null : told;
    if (mode === node.boot_mode && hybrid === node.hybrid_disk) return;
    await store.noteDisk(node.id, { boot_mode: mode, hybrid_disk: hybrid });
    heard('node told of its disk', { node: node.id, mode, disk: told }, String(node.id));
    await deps.devices.note(node.mac, 'disk', diskTrouble(told, node.hybrid_disk));
  }

  return {
    async seen({ ip, mac, model, architecture }) {
      if (await store.byMac(mac)) return undefined;
      const image = await deps.choice.defaultName({ model, architecture });
      const id = await store.register(async (nodes) =>
        // Anybody on walt-net can make machines up: those that nobody uses are so many at most.
        nodes.filter(isFree).length >= deps.limits.freeNodes
          ? undefined
          : {
              ...{
                mac,
                ip,
                name: deps.devices.nameOf(mac) ?? freshName(mac, nodes),
                type: 'physical',
                model,
                architecture,
              },
              ...{ image_owner: PLATFORM_OWNER, image_name: image },
            },
      );
      if (id === undefined) {
        const { freeNodes } = deps.limits;
        const refusal = `there are ${freeNodes} free nodes already (limits.free-nodes in server.conf)`;
        if (Date.now() - refused > REFUSAL_PAUSE)
          log.warn('node not registered', { mac, ip, model, refusal });
        refused = Date.now();
        return refusal;
      }
      log.info('node registered', { node: id, mac, ip, model });
      await deps.changed();
      return undefined;
    },

    beginBoot,

    ...kexecOf({ store, log }),

    async glance(ip) {
      const node = await store.byIp(ip);
      if (!node) return undefined;
      const { name, mac, model, digest, served_at: servedAt, booted_at: bootedAt } = node;
      const isBooting = servedAt !== null && bootedAt === null && now() - servedAt < FIRMWARE_TIME;
      return { name, mac, model, digest, isBooting };
    },

    recognize: ({ mac, model }, told) =>
      deps.devices.note(mac, 'other-model', told === model ? undefined : modelTrouble(model, told)),

    async waits(mac, reason) {
      const text = reason === undefined ? undefined : `It cannot boot: ${reason.replace(/\.$/, '')}.`;
      const last = deps.devices.notesOf(mac).find(({ kind }) => kind === 'boot');
      // It asks again every few seconds.
      if (last && last.text === text && now() - last.at < NOTE_PAUSE) return;
      await deps.devices.note(mac, 'boot', text);
    },

    reached({ ip, digest }, step, ran) {
      const at = Date.now() / 1000;
      store.byIp(ip).then(
        (node) => {
          if (node?.served_digest === digest) store.boots.reached(node.id, { [step]: at }, ran);
        },
        (error) => unnoted('cannot note a step of a boot', { ip, step, error: String(error) }, ip),
      );
    },

    async failed(ip, report) {
      const node = await store.byIp(ip);
      if (!node || node.served_digest === null || node.booted_at !== null) return node?.name;
      const isVirtual = node.type === 'virtual';
      const console = isVirtual ? await lastLines(deps.machines.consoleLog(node.id)) : [];
      const reason = shortWords(report);
      const { attempt = 1 } = (await store.boots.current([node.id])).get(node.id) ?? {};
      const final = attempt > bootRetries(node);
      store.boots.failed(node.id, { at: Date.now() / 1000, reason, final, console });
      return node.name;
    },

    async disproved(ip, volume) {
      const node = await store.byIp(ip);
      if (node) await deps.volumeServers.disproved(node, volume);
    },

    asked: (ip, protocol, path) => deps.devices.asked(ip, protocol, path),
    pluggedInto: (mac, place) => deps.devices.pluggedInto(mac, place),

    async currentBoot(ip) {
      const node = await store.byIp(ip);
      const { served_digest: digest, served_persist: persist, boot_owner: owner } = node ?? {};
      if (!node || node.served_generation === null || !digest || !persist || !owner) return undefined;
      const mounted = node.served_mounts === 0 ? null : persist;
      const boot = await target(node, { digest, persist: mounted, delay: 0, owner });
      return boot && { ...boot, generation: node.served_generation };
    },

    async poll(ip, token, report, signal) {
      const node = await store.agentAt(ip);
      if (!node || !sameSecret(node.token, token)) return undefined;
      if (report.booted && node.booted_at === null && report.generation === node.served_generation) {
        await store.noteBooted(node.id);
        log.info('node booted', { node: node.id, generation: report.generation });
      }
      if (report.generation === node.served_generation) noteReport(node, report);
      if (report.leaving) return 'stay';
      if (report.clock !== undefined)
        await deps.devices.note(node.mac, 'clock', clockTrouble(report.clock, now()));
      if (report.disk && report.generation === node.served_generation) await noteDisk(node, report.disk);
      // Each note is written: only what is new is noted.
      if (report.room && report.room.killed !== agents.room(node.id)?.killed)
        await deps.devices.note(node.mac, 'memory', killedTrouble(report.room.killed));
      const answer = agents.poll(node.id, signal, report.room);
      // An order that was given while nobody listened is delivered now.
      if (report.generation < node.generation) void deps.changed();
      return answer;
    },
  };
}

function isFree({ type, image_owner }: NodeRow): boolean {
  return type === 'physical' && image_owner === PLATFORM_OWNER;
}

/** A name for a node that came by itself: from the end of its hardware address. */
function freshName(mac: string, nodes: readonly { name: string }[]): string {
  const taken = new Set(nodes.map((node) => node.name));
  const base = `node-${mac.replaceAll(':', '').slice(-6)}`;
  for (let suffix = 1; ; suffix++) {
    const name = suffix === 1 ? base : `${base}-${suffix}`;
    if (!taken.has(name)) return name;
  }
}

/**
 * `walt node reboot` of a PC by kexec and through its firmware, in turns, until it has booted. Firmware of real PCs takes from ten
 * seconds to minutes; that of QEMU takes three, so that it waits here. usage: reboot.ts [--runs N] [--firmware SECONDS] [--json]
 */
import type { NodeBoot } from '@walt/contract';
import { Pc } from '../test/pc/pc.ts';
import { Platform } from '../test/platform.ts';
import { until } from '../test/until.ts';
import { benchOptions, progress, refuse } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const { runs, json, own } = benchOptions(5, ['firmware']);
const slowness = Number(own.firmware ?? '30');
if (!Number.isSafeInteger(slowness) || slowness < 0) refuse('--firmware must be a number of seconds');

await using platform = await Platform.start();
const { root } = platform;
progress('booting a PC');
await using pc = await Pc.start(platform, 1, {
  ...{ firmware: 'SeaBIOS', mac: '52:54:00:bb:00:01', slowness },
  card: ['-device', 'virtio-net-pci,netdev=net,mac=MAC,bootindex=1'],
});
const name = await until(
  'the PC to be a node',
  async () => (await platform.node()).find(({ mac }) => mac === pc.mac)?.name,
  300_000,
);
await platform.booted(name);

const ways = { kexec: 'true', firmware: 'false' } as const;
type Way = keyof typeof ways;
const times: Record<Way, number[]> = { kexec: [], firmware: [] };
/** Seconds from the order until the boot script is asked for. */
const waits: number[] = [];

for (let run = 1; run <= runs; run += 1) {
  for (const way of ['firmware', 'kexec'] as const) {
    await root.ok('node', 'config', name, `kexec.allow=${ways[way]}`);
    await root.ok('node', 'reboot', name);
    await platform.booted(name);
    const [boot] = await root.json<NodeBoot[]>('node', 'log', name, '-n', '1');
    const [asked, booted] = [secondsTo(boot, way === 'kexec' ? way : 'asked'), secondsTo(boot, 'booted')];
    times[way].push(booted);
    if (way === 'firmware') waits.push(asked);
    progress(`run ${run}, ${way}: ${booted.toFixed(1)} s, of which ${asked.toFixed(1)} s until it asked`);
  }
}

const [kexec, firmware] = [summarize(times.kexec), summarize(times.firmware)];
conclude(
  {
    bench: 'reboot',
    measures: [
      { what: 'reboot by kexec, until it has booted', unit: 's', ...kexec },
      { what: 'reboot through its firmware, until it has booted', unit: 's', ...firmware },
      { what: 'of that, until it asks for its boot script', unit: 's', ...summarize(waits) },
    ],
    bounds: [{ claim: 'reboot, kexec : firmware', value: kexec.median / firmware.median, limit: 0.7 }],
  },
  json,
);

/** Seconds from a boot's order to a step of it. Throws where it took another way. */
function secondsTo(boot: NodeBoot | undefined, step: string): number {
  const at = boot?.steps.find((one) => one.step === step)?.at;
  if (!boot || at === undefined) throw new Error(`no step ${step}: ${boot?.noKexec ?? JSON.stringify(boot)}`);
  return at - boot.began;
}

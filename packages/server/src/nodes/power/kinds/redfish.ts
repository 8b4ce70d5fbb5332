import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isExternalError, type PowerConfigOf, projectFile, run } from '../../../platform/index.ts';
import type { NodeRow } from '../../store.ts';
import { inNetwork, type Place, readSecret } from '../place.ts';
import type { Failure, Order, Outcome } from '../redfish/index.ts';
import { type PowerKind, powerFailure, powerOf } from '../source.ts';

/** Milliseconds after which the program is ended, which ends by itself before; bytes that it may print. */
const LIMITS = { timeout: 45_000, maxOutput: 65_536 };

/** A board's own controller, by Redfish (DSP0266). One that has several systems is told which by the port. */
export function redfish(name: string, config: PowerConfigOf<'redfish'>, place: Place): PowerKind {
  const { host, port, user, passwordFile, network, ca, fingerprint = null } = config;

  async function ask(node: NodeRow, act: Order['act']): Promise<'on' | 'off'> {
    const order: Order = {
      ...{ host, port, user, fingerprint, act },
      password: await readSecret(name, passwordFile),
      authority: ca === undefined ? null : await authority(ca),
      system: powerOf(node)?.port ?? null,
    };
    const argv = inNetwork(place, network, [process.execPath, programFile()]);
    let outcome: Outcome;
    try {
      outcome = JSON.parse(await run(argv, { ...LIMITS, input: JSON.stringify(order) }));
    } catch (error) {
      if (!isExternalError(error)) throw error;
      throw powerFailure(name, 'cannot be asked.', `The program for that failed: ${error.message}`);
    }
    if ('state' in outcome) return outcome.state;
    throw powerFailure(name, outcome.failure.words, hint(outcome.failure.kind));
  }

  async function authority(path: string): Promise<string> {
    try {
      return await readFile(path, 'utf8');
    } catch {
      throw powerFailure(
        name,
        `cannot be asked: ${path} cannot be read.`,
        `Correct power.${name}.ca in server.conf.`,
      );
    }
  }

  function hint(kind: Failure['kind']): string {
    switch (kind) {
      case 'silent':
        return 'Look at its cable and address, and whether Redfish is enabled in the BMC.';
      case 'certificate':
        return `Set power.${name}.ca or power.${name}.fingerprint in server.conf: walt help show power`;
      case 'password':
        return `Correct power.${name}.user in server.conf, or the password in ${passwordFile}.`;
      case 'redirect':
        return `Correct power.${name}.host in server.conf: it must be the BMC itself.`;
      case 'system':
        return `Say which: power=${name}:SYSTEM`;
      case 'refused':
      case 'absurd':
        return 'Look at its own web page, or at a newer version of its firmware.';
    }
  }

  const act = (what: Order['act']) => async (node: NodeRow) => void (await ask(node, what));
  return {
    ...{ kind: 'redfish', port: 'optional', shared: false },
    ...{ on: act('on'), off: act('off'), reset: act('reset'), state: (node) => ask(node, 'state') },
  };
}

function programFile(): string {
  if (import.meta.filename.endsWith('.ts')) return join(import.meta.dirname, '../redfish/main.ts');
  return projectFile('dist/server/redfish.js');
}

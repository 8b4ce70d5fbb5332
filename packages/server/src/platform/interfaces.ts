import * as z from 'zod';

/** An adapter of this machine, or a VLAN on one, that walt-net should have. */
export interface WantedAdapter {
  /** As the configuration has it. */
  name: string;
  /** Name of the kernel's link. For a VLAN it is made, unless the host has made one of that name. */
  link: string;
  vlan?: { parent: string; id: number };
  /** Also when the host uses it: it then loses it. */
  acceptInUse: boolean;
}

/** Bytes that the kernel takes in a link's name (IFNAMSIZ, without the zero at its end). */
const MAX_NAME = 15;
/** IEEE 802.1Q: 0 means no VLAN, 4095 is reserved. */
const MAX_VLAN = 4094;

/** What the kernel takes (dev_valid_name), without what a terminal or a shell would stumble over. */
const LINK_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/;

const interfaceName = z.string().superRefine((name, context) => {
  const problem = problemOf(name);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

/** What is wrong with the name of an adapter or a VLAN; undefined: nothing. */
export function problemOf(name: string): string | undefined {
  const { parent, vlan } = partsOf(name);
  if (!LINK_NAME.test(name) || parent === '') {
    return `${JSON.stringify(name)} is no name of an adapter: letters, digits and _ . + -, as enp3s0`;
  }
  if (vlan !== undefined && !(/^[1-9]/.test(vlan) && Number(vlan) <= MAX_VLAN)) {
    return `${name}: the VLAN id ${vlan} is not one of 1 to ${MAX_VLAN}`;
  }
  if (parent.length > MAX_NAME) return `${name}: the name of an adapter has ${MAX_NAME} characters at most`;
  if (name === 'lo') return 'lo is the loopback, not an adapter';
  if (['walt0', 'outside'].includes(name) || /^vm\d+$/.test(name))
    return `${name} is a name that walt-net needs for its own links`;
  return undefined;
}

function partsOf(name: string): { parent: string; vlan?: string } {
  const [, parent, vlan] = /^(.*)\.(\d+)$/s.exec(name) ?? [];
  return parent === undefined || vlan === undefined ? { parent: name } : { parent, vlan };
}

function wanted(name: string, acceptInUse: boolean): WantedAdapter {
  const { parent, vlan } = partsOf(name);
  if (vlan === undefined) return { name, link: name, acceptInUse };
  const suffix = `.${vlan}`;
  // Adapters on USB have names of 15 bytes already (enx and the hardware address): the end of it tells them apart.
  const link = name.length <= MAX_NAME ? name : parent.slice(suffix.length - MAX_NAME) + suffix;
  return { name, link, vlan: { parent, id: Number(vlan) }, acceptInUse };
}

/** `network.interfaces`. */
export const interfaces = z
  .array(
    z.preprocess(
      (entry) => (typeof entry === 'string' ? { name: entry } : entry),
      z
        .strictObject({ name: interfaceName, 'accept-in-use': z.boolean().default(false) })
        .transform((entry) => wanted(entry.name, entry['accept-in-use'])),
    ),
  )
  .max(64)
  .superRefine((all, context) => {
    const links = all.map(({ link }) => link);
    const twice = links.find((link, index) => links.indexOf(link) !== index);
    if (twice !== undefined) context.addIssue({ code: 'custom', message: `${twice} is named twice` });
    const below = all.find(({ vlan }) => vlan && links.includes(vlan.parent));
    // Both would be one network, and untagged frames of one would come back tagged.
    if (below) {
      const message = `${below.name} lies on ${below.vlan?.parent}, which is named too: name one of them`;
      context.addIssue({ code: 'custom', message });
    }
  });

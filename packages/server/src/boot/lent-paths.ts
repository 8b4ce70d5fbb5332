/** Folder on nodes of what the platform lends: scripts of the platform layer, programs of the volume of tools. */
export const TOOLS = '/usr/lib/walt';

/** The lent init: busybox by that name. */
export const LENT_INIT = `${TOOLS}/bin/init`;

/** Starts the lent SSH server; see packages/node/layer. */
export const LENT_START = `${TOOLS}/bin/start`;

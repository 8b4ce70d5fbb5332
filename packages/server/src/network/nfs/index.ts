/** What nodes mount. Owns nfs-ganesha, and the portmapper that NFSv3 asks for it. */

export { NfsServer } from './nfs.ts';
export { type PersistExport, type TreeExport, volumesServerConfig } from './nfs-config.ts';
export { openPortmapper, PORTMAP_PORT, type Portmapper, PROCEDURES } from './portmapper.ts';

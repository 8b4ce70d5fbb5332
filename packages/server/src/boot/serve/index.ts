/** What nodes ask the server while they boot and run, by HTTP and TFTP. */
export { NodeFiles } from './node-files.ts';
export { NodeHttp } from './node-http.ts';
export { NodeTftp } from './node-tftp.ts';

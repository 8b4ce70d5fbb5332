/** Lines of switches and boards that have none of our programs: syslog, by UDP and TCP. */
export { SyslogEndpoint } from './endpoint.ts';

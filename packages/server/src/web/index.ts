/** What the platform knows, by plain HTTP: for Grafana, Prometheus and the like, which have no client of ours. */
export { WebApi } from './web-api.ts';

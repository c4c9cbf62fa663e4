export { type ModelHosts, type StartHostsOptions, startModelHosts } from '../parts/model-hosts.ts';

/** Images that come from registries and go to them. */
export { Registries } from './registries.ts';
export { RegistryAccounts } from './registry-accounts.ts';

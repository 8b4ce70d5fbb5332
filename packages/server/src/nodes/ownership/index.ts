/** Whose nodes are, and whom owners let use them. */
export { createGuestCalls } from './calls.ts';
export { forgetAdmitted, NodeGuests } from './guests.ts';
export { bootOwnerOf, owned, ownerOf } from './owners.ts';
export { freshToken, sameSecret } from './tokens.ts';

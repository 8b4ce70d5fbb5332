/**
 * Stands for the global `FormData` in the bundle (esbuild's `inject`): oRPC asks of every answer whether it is
 * one, and the mere mention loads Node's fetch implementation (25 ms). No call of ours carries a form.
 */
export class FormData {}
